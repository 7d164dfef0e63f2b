"""Keys of a demonstration: `serve` refuses them without --demo, and in production always."""

import shutil


def serve(installation, *arguments):
    return installation.run("serve", installation.dir, *arguments, check=False)


def test_demo_keys_serve_with_demo_alone_and_the_refusal_says_what_to_do(new_installation):
    installation = new_installation().init("--demo")
    refused = serve(installation)
    assert refused.returncode == 1
    assert "made for a demonstration" in refused.stderr
    assert "telltale serve --demo" in refused.stderr and "telltale init" in refused.stderr
    assert not installation.ready_path.exists()
    installation.start("--demo")


def test_production_never_runs_on_demo_keys(new_installation):
    installation = new_installation().init("--demo", "--users", "single")
    installation.set(environment__kind="prod")
    for arguments in ((), ("--demo",)):
        refused = serve(installation, *arguments)
        assert refused.returncode == 1
        assert "kind prod" in refused.stderr
    other = new_installation()
    refused = other.run("init", other.dir / "x", "--demo", "--kind", "prod", check=False)
    assert refused.returncode == 1 and "--demo is refused" in refused.stderr
    assert not (other.dir / "x").exists()


def test_one_key_copied_out_of_a_demonstration_is_enough_to_be_refused(new_installation):
    demo = new_installation().init("--demo")
    ours = new_installation().init()
    for name in ("gateway.key", "gateway.pub"):
        shutil.copyfile(demo.dir / "keys" / name, ours.dir / "keys" / name)
    refused = serve(ours)
    assert refused.returncode == 1
    assert str(ours.dir / "keys" / "gateway.key") in refused.stderr
