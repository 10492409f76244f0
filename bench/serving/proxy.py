"""nginx in front of a service's socket, with the product's own settings of the proxy (src/slipway/release/ec2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debian import program
from environments import ROOT
from models import pinned
from process import running

SETTINGS = ROOT / "src" / "slipway" / "release" / "ec2"
CONFIGURATION = """
daemon off;
worker_processes 2;
pid {place}/nginx.pid;
error_log {place}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  client_body_temp_path {place}; proxy_temp_path {place};
  fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};
  include {settings}/nginx.conf;
  access_log {place}/access.log slipway;
  upstream service {{ server unix:{socket}; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://service; include {settings}/proxy.conf; }}
  }}
}}
"""


@contextmanager
def proxied(place: Path, socket: Path, port: int) -> Iterator[int]:
    """The id of an nginx that listens on `port` and passes on to `socket`."""
    written = place / "nginx.conf"
    written.write_text(CONFIGURATION.format(place=place, settings=SETTINGS, socket=socket, port=port))
    with running([*program("nginx"), "-c", str(written), "-p", str(place)], place, pinned()) as pid:
        yield pid
