"""What the page shows is what control answered: no more, no less, and never as markup."""

import pathlib
import re

import answers
import pytest
from waiting import let_run, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]


def columns(rows, *numbers):
    return [[row[number] for number in numbers] for row in rows]


def answers_seen(control):
    return sum(path.startswith("/v1/status") for path in control.asked)


def ask_now(tab):
    """Makes the page ask before its time; a choice of the reader's does the same."""
    tab.evaluate("dispatchEvent(new Event('hashchange'))")


def wait_for_answers(tab, control, count=1):
    """Until the page has asked so many times more of itself."""
    wanted = answers_seen(control) + count
    wait_for("the page to ask again", lambda: answers_seen(control) >= wanted)


def test_who_has_no_token_sees_nothing_and_asks_nothing(open_page, control):
    tab = open_page(token="")
    assert control.asked == []
    assert tab.evaluate("document.activeElement.id") == "token"
    assert not tab.evaluate("document.getElementById('content').checkVisibility()")


def test_a_wrong_token_is_told_and_forgotten(open_page, control):
    tab = open_page(token="")
    tab.type("#token", "somebody-elses")
    tab.press("Enter", number=13)
    tab.wait("document.getElementById('sign-in-error').textContent !== ''")
    assert "does not know this token" in tab.text("#sign-in-error")
    assert tab.evaluate("sessionStorage.length") == 0
    asked = len(control.asked)
    tab.type("#token", "two words")
    tab.press("Enter", number=13)
    assert "one word" in tab.text("#sign-in-error")
    assert len(control.asked) == asked


def test_the_token_is_in_one_header_and_in_no_url(open_page, control):
    tab = open_page()
    ask_now(tab)
    wait_for_answers(tab, control)
    with_token = [url for url, headers in tab.requests
                  if control.token in str(headers.get("Authorization"))]
    assert with_token and all("/v1/" in url for url in with_token)
    assert not any(control.token in url for url, _ in tab.requests)
    assert tab.evaluate("localStorage.length") == 0 and tab.evaluate("document.cookie") == ""
    assert control.token not in tab.evaluate("document.documentElement.outerHTML")


def test_signed_in_stays_so_over_a_reload_until_signed_out(open_page, control):
    tab = open_page()
    tab.goto(control.url + "/")
    tab.wait("document.querySelector('#rollout .stages') !== null")
    tab.evaluate("document.getElementById('sign-out').click()")
    assert tab.evaluate("sessionStorage.length") == 0
    assert "prod-7" not in tab.text("body")
    assert tab.evaluate("document.getElementById('rollout').childElementCount") == 0


def test_alerts_are_those_of_the_answer_in_its_order(open_page, control):
    tab = open_page()
    wanted = control.world["live"]["prod"]["alerts"]
    rows = tab.rows("#alerts")
    assert columns(rows, 0, 1, 3, 4, 5) == [
        [one["severity"].lower(), one["rule"], one["state"].lower(), one["vehicle_ref"][:8],
         f"{one['peak_value']:.1f} {one['unit']}"] for one in wanted]
    assert {row[6] for row in rows} == {"600 ms"}
    assert [row[7] for row in rows] == [one["release"][:8] for one in wanted]
    assert tab.evaluate("""[...document.querySelectorAll('#alerts tbody time')]
        .map(one => Date.parse(one.dateTime))""") == [one["started_at_us"] // 1000
                                                      for one in wanted]


def test_the_rollout_is_shown_with_stages_cohort_and_what_it_waits_for(open_page, control):
    tab = open_page()
    stages = tab.evaluate("""[...document.querySelectorAll('.stage')].map(one =>
        [one.className, one.querySelector('.share').innerText, one.ariaCurrent])""")
    assert stages == [["stage done", "1 %", None], ["stage now", "10 %", "step"],
                      ["stage next", "100 %", None]]
    assert tab.text(".phases [aria-current]") == "shadow"
    legend = tab.text(".legend")
    for share in ("1.01 % candidate speaks", "9 % stable speaks, candidate", "89.99 % stable al"):
        assert share in legend
    widths = tab.evaluate("""[...document.querySelectorAll('.part')]
        .map(one => one.getBoundingClientRect().width)""")
    assert [round(100 * width / sum(widths)) for width in widths] == [1, 9, 90]
    text = tab.text("#rollout .facts")
    for part in ("1 of 1 approvals of this stage are missing", "1 min 50 s of shadow are left",
                 "2 (warming 1, journal stopped 1)", "cn:deployer"):
        assert part in text
    history = tab.rows("#rollout details[open]")
    assert columns(history, 1, 2, 3, 4) == [
        ["control", "2", "shadow", "all partitions are warm"],
        ["cn:approver", "1", "approval", "looked at the diff"],
        ["control", "1", "warming", ""], ["cn:deployer", "1", "pending", "promoted"]]


def test_what_the_lake_found_and_what_the_candidate_cost_is_shown(open_page, control):
    tab = open_page()
    assert "candidate 12 s" in tab.text("#rollout .facts")
    assert ["CPU time", "42 s in 90 min", "12 s in 90 min"] in tab.rows("#rollout .two")
    said = tab.text("#rollout .lake ul")
    assert "features: failed, computed" in said and "48 of 512 vehicles" in said
    assert "telemetry: unreadable: it is no JSON object" in said
    assert tab.rows("#rollout .lake") == [
        ["fuel_trim_drift", "failed", "–", "–", "–", "–", "–", "no column engine_load"],
        ["brake_wear", "compared", "1,200", "38", "2", "0", "7",
         "wear_mm 38 (by up to 0.4); only in the candidate: pads"]]
    control.world["live"]["prod"]["lake"] = None
    ask_now(tab)
    tab.wait("document.querySelector('#rollout .lake') === null")


def test_what_the_gate_says_is_shown_with_its_evidence_and_what_is_missing(open_page, control):
    answer = answers.gate()
    control.world["gates"] = {"prod-7": answer}
    control.world["rollouts"][0]["gate"] = answer["verdict"]
    tab = open_page()
    tab.wait("document.querySelector('#rollout .gate') !== null")
    text = tab.text("#rollout .gate")
    assert "hold" in text and answer["verdict"]["words"] in text
    assert "50 % of the way to a halt; 6 vehicles differ" in text
    assert "about 2 h at the present pace" in text
    assert answer["report"]["vehicles"][0] in text
    shares = tab.evaluate("[...document.querySelectorAll('#rollout .evidence .part')]"
                          ".map((one) => one.dataset.share)")
    assert shares == ["0.5", "0.5"]


def test_both_releases_stand_side_by_side(open_page):
    tab = open_page()
    running, rules = tab.evaluate("""[...document.querySelectorAll('.two table')].map(table =>
        [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim())))""")
    assert running[0] == ["", f"stable {answers.STABLE[:8]}", f"candidate {answers.CANDIDATE[:8]}"]
    assert running[2:4] == [["Restarts", "0", "2"], ["Records behind", "12", "1,904"]]
    assert running[5] == ["Vehicles computed", "100 %", "10.01 %"]
    assert rules[0] == ["", "Opened", "Published"]
    assert rules[1] == ["Rule", "stable", "candidate", "difference", "stable", "candidate"]
    assert rules[2:] == [["airbag_deployed", "1", "1", "equal", "1", "0"],
                         ["brake_overheating", "8", "11", "+3 (+37.5 %)", "8", "1"],
                         ["forward_collision", "37", "37", "equal", "36", "4"],
                         ["hard_braking", "412", "398", "−14 (−3.4 %)", "405", "44"]]
    tab.evaluate("document.querySelector('[data-key=diff]').open = true")
    assert tab.rows("[data-key=diff] > .scroll") == [
        ["rule", "brake_overheating", "temperature_c_min", "650", "620"],
        ["rule", "tyre_pressure", "added", "", ""],
        ["feature", "brake_wear", "changed", "1 lines went", "3 lines came"]]
    changes = tab.evaluate("document.querySelector('[data-key=diff]').textContent")
    for part in ("contract, features, rules", "Contract: accepted.", "safety: 2 of its rules dif",
                 "Declared: brake_overheating fires 10 to 40 % more"):
        assert part in changes


def test_a_rejected_release_and_a_way_back_that_does_not_run_say_so(open_page, control):
    control.world["rollouts"][0].update(
        phase="rejected", reason="fired more than was declared", waits_for=[],
        evidence={"rule": "brake_overheating", "share": 0.375})
    live = control.world["live"]["prod"]
    back = answers.running(answers.OLD, "previous", 1, 0)
    back.update(marks=None, records_behind=None, worker={
        "alive": False, "state": "stopped", "reason": "journal_flood", "restarts": 4,
        "last_end": "signal 9", "started_at": None})
    live.update(rollout=None, releases=[live["releases"][0], back])
    tab = open_page()
    assert tab.text(".stage.stopped .word") == "stopped here"
    assert "fired more than was declared" in tab.text("#rollout .facts")
    assert "brake_overheating" in tab.evaluate(
        "document.querySelector('[data-key=\"Evidence against it\"]').textContent")
    running = tab.rows(".two")[:4]
    assert running[0][2] == "stopped: journal flood" and running[1][2] == "4"
    assert running[2][2] == "–" and running[3][2] == "–"
    assert tab.evaluate("document.querySelector('.cohort')") is None


def test_arrivals_lag_and_audit_are_the_answers(open_page, control):
    tab = open_page()
    arrived = tab.text("#arrivals")
    for part in ("1,234,567", "89", "700 MiB", "3,998", "17"):
        assert part in arrived
    assert tab.rows("#lag") == [
        [f"Rules {answers.STABLE[:8]}", "safety", "12"],
        [f"Rules {answers.CANDIDATE[:8]}", "safety", "1,904"], ["Publisher", "journal", "4"],
        ["Lake", "telemetry", "48,211"], ["Vault", "sealed", "310"]]
    assert columns(tab.rows("#audit"), 0, 2, 3, 4, 5) == [
        ["4", "control", "config", "prod", "config_seq 17"],
        ["3", "cn:approver", "approve", "prod", "comment looked at the diff"],
        ["2", "cn:deployer", "promotion.put", "prod", "release c4c4c4c4…, policy standard"],
        ["1", "cn:author", "release.put", "–", ""]]
    assert "lake is 51 % of retention behind" in tab.text("#health")


def test_the_rate_is_of_the_gateways_own_counts_and_times(open_page, control):
    tab = open_page()
    ask_now(tab)
    assert tab.text("#reports-rate") == "–"  # one count is no rate
    arrivals = control.world["live"]["prod"]["arrivals"]
    control.world["live"]["prod"]["arrivals"] = {
        **arrivals, "reports_accepted": arrivals["reports_accepted"] + 8_000,
        "counted_at": answers.ago(-3.6)}
    ask_now(tab)
    tab.wait("document.getElementById('reports-rate').innerText === '2,000.0'")
    control.world["live"]["prod"]["arrivals"] = {
        **arrivals, "reports_accepted": 5, "counted_at": answers.ago(-8)}
    ask_now(tab)
    tab.wait("document.getElementById('reports-rate').innerText === '–'")  # it was started again


def test_every_reason_has_its_cause_and_its_remedy(open_page, control):
    names = re.findall(r'\{Reason::k\w+, "(\w+)"\}',
                       (ROOT / "src/base/reasons.cc").read_text(encoding="utf-8"))[1:]
    control.world["live"]["prod"]["drops"] = [
        {"role": "gateway", "where": "gateway", "reason": name, "count": 7 + at}
        for at, name in enumerate(names)]
    tab = open_page()
    shown = tab.evaluate("""[...document.querySelectorAll('.drops li')].map(one =>
        [one.querySelector('code').innerText, one.querySelector('.count').innerText,
         (one.querySelector('.remedy')?.innerText ?? '').length])""")
    assert [[name, count] for name, count, _ in shown] == [[name, str(7 + at)]
                                                          for at, name in enumerate(names)]
    assert [name for name, _, length in shown if length < 20] == []
    assert "What to do: the same" not in tab.text("#drops")


def test_environments_are_a_path_and_choosing_one_shows_it(open_page, control):
    tab = open_page()
    path = "[...document.querySelectorAll('.path a')].map(one => one.innerText.split(/\\s+/))"
    assert tab.evaluate(path) == [["dev", "c4c4c4c4"], ["staging", "c4c4c4c4", "closed"],
                                  ["prod", "3f3f3f3f", "shadow"]]
    assert tab.text(".path [aria-current]").startswith("prod")
    tab.evaluate("document.querySelector('.path a').focus()")
    tab.press("Enter", number=13)
    tab.wait("document.title.startsWith('dev')")
    assert "No rollout was made here" in tab.text("#rollout")
    assert "No alert was published here yet." in tab.text("#alerts")
    assert "Nothing was refused" in tab.text("#drops")
    assert "counted nothing yet" in tab.text("#arrivals")
    assert tab.evaluate("document.activeElement.innerText").startswith("dev")


@pytest.mark.parametrize("address", ["#%", "#nowhere", "#%3Cb%3E"])
def test_an_address_that_names_no_environment_shows_the_one_that_moves(browser, control, address):
    tab = browser.tab()
    tab.goto(f"{control.url}/{address}")
    tab.wait("!document.getElementById('sign-in').hidden")
    tab.type("#token", control.token)
    tab.press("Enter", number=13)
    tab.wait("document.title.startsWith('prod') && location.hash === '#prod'")
    assert tab.text(".path [aria-current]").startswith("prod") and tab.faults == []
    tab.close()


def test_without_any_environment_it_says_how_to_make_one(open_page, control):
    control.world["status"]["environments"] = []
    control.world["audit"] = []
    tab = open_page()
    assert "telltale environment put" in tab.text("#environments")
    assert "There is no environment yet." in tab.text("#alerts")
    assert "Nobody has changed anything yet." in tab.text("#audit")


def test_control_out_of_reach_keeps_what_was_seen_and_says_how_old_it_is(open_page, control):
    tab = open_page()
    control.away = True
    ask_now(tab)
    tab.wait("document.body.classList.contains('stale')")
    assert "Control cannot be reached." in tab.text("#notice")
    assert "What you see is of" in tab.text("#notice")
    tab.wait("/, [2-9] s old/.test(document.getElementById('freshness').innerText)")
    assert "prod-7" in tab.text("#rollout") and len(tab.rows("#alerts")) == 50
    control.away = False
    tab.wait("!document.body.classList.contains('stale')")
    assert tab.text("#notice") == ""


def test_trouble_of_one_environment_is_said_there_and_the_rest_is_shown(open_page, control):
    control.world["live"]["prod"] = {"error": {
        "code": "unavailable", "message": "the log cannot be read.", "next": "Look at the disk."}}
    environment = control.world["status"]["environments"][0]
    environment.update(reachable=False, reason="nobody listens on append.sock",
                       hold={"by": "cn:deployer", "reason": "waits for the depot"})
    control.world["status"]["leader"] = None
    tab = open_page()
    assert tab.text("#alerts") == "the log cannot be read. Look at the disk."
    assert "prod-7" in tab.text("#rollout") and tab.rows("#audit")
    health = tab.text("#health")
    for part in ("Nobody leads", "nobody listens on append.sock", "Held by cn:deployer: waits"):
        assert part in health
    assert "unreachable" in tab.text(".path [aria-current]")


def poisoned(value, poison):
    if isinstance(value, dict):
        return {key: poisoned(one, poison) for key, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, poison) for one in value]
    return poison + value if isinstance(value, str) else value


@pytest.mark.parametrize("poison", [
    "<img src=x onerror=window.hacked=1>", "\"'><script>window.hacked=1</script>",
    "javascript:window.hacked=1//", "\u202e</code>&lt;b&gt;"])
def test_markup_in_any_field_is_shown_as_text(open_page, control, poison):
    world = control.world
    live = {poison + key: poisoned(one, poison) for key, one in world["live"].items()}
    rollouts = poisoned(world["rollouts"], poison)
    for one in rollouts:
        one["stage"] = 1
    control.world = {"status": poisoned(world["status"], poison), "live": live,
                     "rollouts": rollouts, "diff": poisoned(world["diff"], poison),
                     "audit": poisoned(world["audit"], poison)}
    # (Times that are none are shown as they came.)
    tab = open_page()
    assert poison in tab.evaluate("document.getElementById('alerts').textContent")
    assert poison in tab.evaluate("document.getElementById('audit').textContent")
    assert tab.evaluate("document.querySelectorAll('main img, main script, main b').length") == 0
    assert tab.evaluate("window.hacked") is None
    assert tab.evaluate("[...document.links].every(one => one.href.startsWith(location.origin))")


def test_a_planted_script_or_style_does_not_run(open_page):
    tab = open_page(token="")
    tab.evaluate("""(() => { const one = document.createElement('div');
        one.setAttribute('style', 'color: rgb(1, 2, 3)'); one.id = 'planted';
        document.body.append(one); })()""")
    assert tab.evaluate("getComputedStyle(document.getElementById('planted')).color") \
        != "rgb(1, 2, 3)"
    assert tab.evaluate("""(() => { try { const one = document.createElement('script');
        one.textContent = 'window.hacked = 1'; document.body.append(one); return 'taken';
        } catch { return 'refused'; } })()""") == "refused"
    assert tab.evaluate("window.hacked") is None
    assert len(tab.faults) >= 2  # so the other tests, which want none, would have seen it
    tab.faults.clear()


def test_what_the_reader_holds_stays_while_answers_come(open_page, control):
    tab = open_page()
    tab.evaluate("""document.querySelector('#alerts .scroll').focus();
        document.querySelector('#alerts .scroll').scrollTop = 90;
        document.querySelector('#rollout details').open = true;
        document.querySelector('#rollout details ~ details').open = false;""")
    new = {**answers.alert(77), "rule": "just_now"}
    control.world["live"]["prod"]["alerts"] = [new, *control.world["live"]["prod"]["alerts"][:49]]
    ask_now(tab)
    tab.wait("document.querySelector('#alerts tbody tr').innerText.includes('just_now')")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Newest alerts"
    assert tab.evaluate("document.querySelector('#alerts .scroll').scrollTop") >= 90
    assert tab.evaluate("""[...document.querySelectorAll('#rollout details')]
        .map(one => one.open)""") == [True, False, False]
    assert len(tab.rows("#alerts")) == 50


def test_a_hidden_page_asks_nothing_and_a_shown_one_at_once(open_page, control):
    tab = open_page()
    hide = """Object.defineProperty(document, 'hidden', {value: %s, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'))"""
    wait_for_answers(tab, control)  # at its own pace
    tab.evaluate(hide % "true")
    let_run(0.3)  # what was on its way
    asked = answers_seen(control)
    let_run(2.5)  # longer than its pace
    assert answers_seen(control) == asked
    tab.evaluate(hide % "false")
    wait_for_answers(tab, control)


CONTRAST = """(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92
    : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
  const behind = (one) => { for (; one; one = one.parentElement) {
    const color = numbers(getComputedStyle(one).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color; } return [255, 255, 255]; };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || !one.checkVisibility()) continue;
    const [a, b] = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push(walker.currentNode.nodeValue + ' ' + ratio.toFixed(2));
  }
  return low; })()"""


@pytest.mark.parametrize("width, dark", [(1920, False), (1920, True), (360, False), (360, True)])
def test_it_fits_and_is_legible_in_light_and_dark(open_page, control, pictures, width, dark):
    tab = open_page(width=width, height=1080 if width > 600 else 760, dark=dark)
    arrivals = control.world["live"]["prod"]["arrivals"]
    for second, reports in enumerate((4100, 8050, 12300, 16400, 20900, 24700, 29100, 33000), 1):
        control.world["live"]["prod"]["arrivals"] = {
            **arrivals, "counted_at": answers.ago(-second),
            "reports_accepted": arrivals["reports_accepted"] + reports}
        ask_now(tab)
        tab.wait(f"document.getElementById('arrivals').innerText.includes('{reports + 1234567:,}')")
    name = f"{width}{'-dark' if dark else ''}"
    tab.screenshot(pictures / f"rollout-{name}.png")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(CONTRAST) == []
    # Everything that scrolls can be reached and named without a mouse.
    assert tab.evaluate("""[...document.querySelectorAll('.scroll')].filter(one =>
        one.tabIndex !== 0 || !one.ariaLabel && !one.getAttribute('aria-label')).length""") == 0
    assert tab.evaluate("[...document.querySelectorAll('table')].every(one => one.tHead)")


def test_pictures_of_the_other_states(open_page, control, pictures):
    tab = open_page(token="")
    tab.screenshot(pictures / "sign-in.png")
    tab = open_page()
    control.away = True
    ask_now(tab)
    tab.wait("document.body.classList.contains('stale')")
    tab.screenshot(pictures / "out-of-reach.png")
    assert tab.evaluate(CONTRAST) == []
