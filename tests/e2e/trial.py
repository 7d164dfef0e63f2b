"""A chain of environments on one machine under one control plane, and releases to send along it."""

import json
import pathlib

from control_plane import Control
from releases import write_sources
from telltale import Installation


def demo_policy(*stages, warm_up_s=3, window_s=3600):
    """`stages` are (per_10000, shadow_s, soak_s)."""
    return {
        "kind": "demo",
        "stages": [
            {"per_10000": share, "shadow_s": shadow, "soak_s": soak, "approvals": 0, "gate": ""}
            for share, shadow, soak in stages
        ],
        "warm_up_s": warm_up_s,
        "rollback_window_s": window_s,
    }


class Trial:
    """Installations by name in the order of their chain; the last one has the control plane."""

    def __init__(self, folder, names=("dev", "staging", "prod")):
        self.folder = pathlib.Path(folder)
        self.sites = {name: Installation(self.folder / name) for name in names}
        self.names = list(names)
        self.home = self.sites[names[-1]]
        self.control = Control(self.home)

    def init(self, *arguments, **settings):
        for name, site in self.sites.items():
            site.init("--environment", name, *arguments, **settings)
            if site is not self.home:
                site.set(environment__side_effects="off")
        self.home.set(control__http="on", control__port=0)
        return self

    def start(self, seed=None, without=()):
        words = ["--demo", "--seed", seed] if seed is not None else []
        for site in self.sites.values():
            site.start(*words, *(["--without", ",".join(without)] if without else []))
        return self

    def register(self, policies):
        """The environments, each with the policy of its name; returns control for more."""
        upstream = ""
        for name in self.names:
            self.control.put(f"/v1/policies/{name}", policies[name])
            self.control.add_environment(name, self.sites[name], name,
                                         "prod" if name == self.names[-1] else "dev", upstream)
            upstream = name
        return self.control

    def stop(self):
        for site in reversed(self.sites.values()):
            site.stop()

    def end_everything(self):
        for site in self.sites.values():
            site.end_everything()


def write_release(folder, name, edits=(), more_rules="", engine=None, declared=""):
    """Sources of a release below `folder`, and the engine it is to be built with, if another."""
    made = write_sources(pathlib.Path(folder) / name, name, edits, more_rules, declared)
    if engine:
        made.with_suffix(".engine").symlink_to(engine)
    return made


def build_and_push(site, folder):
    """The release's id, once it is known to the control plane of `site`."""
    engine = folder.with_suffix(".engine")
    words = ["--engine", engine.resolve()] if engine.exists() else []
    done = site.run("release", "push", folder, "--dir", site.dir, *words, "--json")
    return json.loads(done.stdout)["id"]
