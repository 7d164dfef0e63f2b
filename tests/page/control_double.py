"""A control of canned answers: the page's own files with the binary's header fields, and the API
of docs/control.md as far as the page reads it."""

import http.server
import json
import pathlib
import re
import threading
import urllib.parse

import answers

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src/control/page"


def files():
    """{path: (content type, file)} as embed.cmake says it."""
    script = (FOLDER / "embed.cmake").read_text(encoding="utf-8")
    types = dict(re.findall(r'^set\((html|script) "(.+)"\)$', script, re.M))
    found = {}
    for path, kind, name in re.findall(r'^embed\("(\S+)" "(.+)" "(\S+)"\)$', script, re.M):
        kind = re.sub(r"\$\{(\w+)\}", lambda match: types[match[1]], kind)
        source = ROOT / "docs/errors.md" if name == "${ERRORS}" else \
            FOLDER / name.removeprefix("${FOLDER}/")
        found[path] = (kind, source)
    return found


def header_fields():
    """Those of page.cc; adjacent pieces of a text are one."""
    source = (FOLDER / "page.cc").read_text(encoding="utf-8")
    block = re.search(r"kHeaders\[\] = \{(.*?)\n\};", source, re.S)[1]
    return re.findall(r'\{"([^"]+)",\s*"((?:[^"]|"\s*")*)"\}', block)


FILES = files()
FIELDS = [(name, re.sub(r'"\s*"', "", value)) for name, value in header_fields()]


class Control:
    """`world` is what is answered; a test changes it while the page looks."""

    def __init__(self):
        self.token = "viewer-7f3a91"
        self.world = answers.world()
        self.away = False    # hangs up on every request
        self.asked = []      # paths of the API, with their queries
        control = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                control.serve(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def serve(self, request):
        path, _, query = request.path.partition("?")
        if self.away:
            request.close_connection = True
            return
        if path in FILES:
            kind, file = FILES[path]
            self.answer(request, 200, kind, file.read_bytes(), FIELDS)
            return
        self.asked.append(request.path)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            status, body = 401, error("refused", "no such token", "make one")
        else:
            status, body = self.api(path, dict(urllib.parse.parse_qsl(query)))
        self.answer(request, status, "application/json", json.dumps(body).encode(), [])

    def api(self, path, query):
        parts = [urllib.parse.unquote(part) for part in path.split("/")[2:]]
        world = self.world
        match parts:
            case ["status"]:
                return 200, world["status"]
            case ["environments", key, "live"] if key in world["live"]:
                found = world["live"][key]
                return (503, found) if "error" in found else (200, found)
            case ["rollouts"]:
                return 200, {"items": [one for one in world["rollouts"]
                                       if one["environment"] == query.get("environment")]}
            case ["rollouts", key, "gate"] if key in world.get("gates", {}):
                return 200, world["gates"][key]
            case ["releases", _, "diff", _] if world["diff"]:
                return 200, world["diff"]
            case ["audit"]:
                after, limit = int(query["after"]), int(query["limit"])
                entries = world["audit"]
                last = {"entry": entries[-1]["entry"], "hash": ""} if entries else None
                return 200, {"items": [one for one in entries if one["entry"] > after][:limit],
                             "last": last}
        return 404, error("not_found", f"no {path}", "look at /openapi.json")

    @staticmethod
    def answer(request, status, kind, body, fields):
        request.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *fields]:
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


def error(code, message, following):
    return {"error": {"code": code, "message": message, "next": following}}
