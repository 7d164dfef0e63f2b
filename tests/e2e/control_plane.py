"""The control plane of an installation: its API as a person with a token asks it."""

import json
import urllib.error
import urllib.request

from waiting import wait_for_file


class Control:
    """Asks the API of an installation that `telltale serve` keeps control in."""

    def __init__(self, installation):
        self.installation = installation
        self.port = int(wait_for_file(installation.dir / "run" / "control.port"))
        self.url = f"http://127.0.0.1:{self.port}"
        self.local_token = wait_for_file(installation.dir / "run" / "control.token")

    def ask(self, method, path, body=None, token="", raw=None, content_type="application/json"):
        """Status and answer (JSON where it is JSON); `token` "" = that of this machine."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", content_type)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token or self.local_token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, read(answer)
        except urllib.error.HTTPError as error:
            return error.code, read(error)

    def tell(self, *arguments, check=True, **options):
        """Runs `telltale ARGUMENTS --dir DIR`."""
        return self.installation.run(*arguments, "--dir", self.installation.dir, check=check,
                                     **options)


def read(answer):
    data = answer.read()
    if "json" in (answer.headers["Content-Type"] or ""):
        return json.loads(data)
    return data
