"""The sections of slipway.yaml: groups of settings, each with its type, default, limits and a sentence of help."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from slipway.kinds import Filter, Flag, NotNegative, Number, Paths, Protocols, Text, Texts, VariableName

MEBIBYTE = 1 << 20


class Collection(Struct, frozen=True, kw_only=True):
    """A MongoDB collection; `url` is the name of the variable that has the server's, `fields` has column → dotted path."""

    url: Annotated[VariableName, "The environment variable that holds the URL of the MongoDB server."] = "MONGO_DB_URL"
    database: Annotated[Text | None, "The database of source: mongodb."] = None
    collection: Annotated[Text | None, "The collection, or view, of source: mongodb."] = None
    filter: Annotated[Filter, "Which documents to read, as find() takes it; by default all."] = {}
    fields: Annotated[Paths, "The columns, and where each is in a document; by default all its top-level fields but _id."] = {}


class Sql(Struct, frozen=True, kw_only=True):
    """A table of an SQL database, or what a query finds there; `url` is the name of the variable that has its URL."""

    url: Annotated[VariableName, "The environment variable that holds the URL of the database."] = "DATABASE_URL"
    table: Annotated[Text | None, "The table, or view, of source: sql; with its schema as SCHEMA.TABLE."] = None
    query: Annotated[Text | None, "A SELECT instead of a table."] = None
    key: Annotated[
        Texts, "The columns that name a row where slipway predict writes to a table; by default id, or else its primary key."
    ] = ()


class Spark(Struct, frozen=True, kw_only=True):
    """The cluster that reads, scores and trains where Spark is asked for."""

    master: Annotated[
        Text | None, "Its address, such as spark://host:7077 or yarn; by default that of the running session or spark-submit."
    ] = None


class Costs(Struct, frozen=True, kw_only=True):
    """What a wrong answer costs, in any unit."""

    false_positive: Annotated[NotNegative, "Cost of answering positive wrongly."]
    false_negative: Annotated[NotNegative, "Cost of answering negative wrongly."]


class Search(Struct, frozen=True, kw_only=True):
    trials: Annotated[
        int,
        Meta(ge=1),
        "How many settings of boosting the first round of the search tries; of each other candidate a quarter as many.",
    ] = 16
    engine: Annotated[
        Literal["local", "spark"],
        "Where to learn. local: on one machine, of a large table from a sample. spark: where the learning curve still rises "
        "at the end of the sample, also on the cluster from all rows; that model is kept if it is better.",
    ] = "local"


class Sampling(Struct, frozen=True, kw_only=True):
    """How much of a large table training holds in memory."""

    cells: Annotated[
        int,
        Meta(ge=100_000),
        "Most cells (rows times columns) that training holds; of a larger table it takes rows by their hash.",
    ] = 10_000_000


class Data(Struct, frozen=True, kw_only=True):
    keep: Annotated[int, Meta(ge=0), "How many of the tables that trainings read are kept in the store; 0 keeps none."] = 5
    max_bytes: Annotated[int, Meta(ge=0), "Most bytes of these tables. The champion's is never removed."] = 2048 * MEBIBYTE


class Holdout(Struct, frozen=True, kw_only=True):
    share: Annotated[float, Meta(ge=0.05, le=0.5), "Share of rows held out for the gate."] = 0.2
    salt: Annotated[Text | None, "Salt of the split; the name when absent."] = None


class Gate(Struct, frozen=True, kw_only=True):
    """What a challenger must reach; `minimum` and `minimum_gain` are in units of the metric."""

    minimum: Annotated[Number | None, "The metric that a challenger must reach on held-out rows."] = None
    minimum_gain: Annotated[
        NotNegative, "By how much a challenger must be better than the champion, in units of the metric."
    ] = 0.0
    confidence: Annotated[
        float,
        Meta(ge=0.5, le=0.999),
        "Probability that a year passes without promoting a model that is not better; also the level of reported intervals.",
    ] = 0.9
    anchor: Annotated[
        Text | None,
        "A CSV or Parquet file, relative to this one, of rows that a person has reviewed, with their targets. A challenger "
        "that does harm there is not promoted. Training may not learn from these rows.",
    ] = None


class Serving(Struct, frozen=True, kw_only=True):
    """How the service answers; sizes in bytes."""

    unknown_levels: Annotated[
        Literal["reject", "warn"], "What to do with a level that training never saw: reject the row, or answer with a warning."
    ] = "reject"
    out_of_range: Annotated[
        Literal["near", "warn", "reject"],
        "What to do with a number outside the range seen in training. near: answer with a warning up to one width of the "
        "range beyond either end, reject what is farther, and negative numbers where training saw none. "
        "warn: answer all with a warning. reject: reject all. "
        "Dates are always answered, with a warning.",
    ] = "near"
    max_rows: Annotated[int, Meta(ge=1), "Most rows of one call, and of a batch of slipway consume."] = 10_000
    max_body_bytes: Annotated[int, Meta(ge=1_024), "Largest body of a call, other than POST /predict/file."] = 8 * MEBIBYTE
    max_upload_bytes: Annotated[int, Meta(ge=1_024), "Largest body of POST /predict/file."] = 100 * MEBIBYTE
    max_row_microseconds: Annotated[
        float,
        Meta(ge=1),
        "The most time that the model may take for one row, in microseconds, as training estimates it from the numbers of "
        "columns and trees. Slower candidates are not eligible.",
    ] = 1_000.0
    cors_origins: Annotated[Texts, "Origins whose pages may call the API; none by default."] = ()
    protocols: Annotated[
        Protocols,
        "Protocols besides Slipway's own. mlflow: POST /invocations and GET /ping, like mlflow models serve; SageMaker calls "
        "them, too. open-inference: /v2, the Open Inference Protocol, which KServe and Triton speak.",
    ] = ()
    cache_seconds: Annotated[
        int,
        Meta(ge=0),
        "Seconds for which caches may keep an answer of GET /predict?FIELD=VALUE&…. Its ETag changes with the bundle. "
        "0 switches the address off.",
    ] = 0
    offline: Annotated[
        Flag,
        "Whether the form, installed on a phone or a computer, answers without the server. The model is then public: whoever "
        "opens the page can download it.",
    ] = False


class Log(Struct, frozen=True, kw_only=True):
    """What is kept of the rows that the service answers."""

    to: Annotated[
        Literal["none", "files", "stdout"],
        "Where answered rows are written: files in log/, beside this file, or in the folder SLIPWAY_LOG; or standard output, "
        "which puts them, and what is private in them, into the log of whoever runs the service.",
    ] = "none"
    omit: Annotated[Texts, "Columns that are not written. Their drift cannot be seen."] = ()
    hash: Annotated[Texts, "Columns of which a keyed hash is written: HMAC-SHA-256 with SLIPWAY_LOG_KEY."] = ()
    keep_days: Annotated[int, Meta(ge=1), "Days after which collected rows and labels are deleted."] = 90
    max_bytes: Annotated[
        int,
        Meta(ge=MEBIBYTE),
        "Most bytes of the files that are not collected yet. Beyond them rows are dropped, and counted.",
    ] = 2048 * MEBIBYTE
    share: Annotated[
        float,
        Meta(gt=0, le=1),
        "Part of the calls that is written, chosen by the hash of the request's id: always the same ones.",
    ] = 1.0
