"""`continuum dev`: a save is checked, restarts the node, and says which open runs it leaves behind."""

from __future__ import annotations

import httpx

from tests.process.development.developing import END, SHOP, Developing

RENAMED = SHOP.replace('f"charged {amount}"', 'f"paid {amount}"')
SHIPS = SHOP.replace("paid = await charge(amount)", "paid = await ship(amount)")


def test_a_save_restarts_the_node_with_the_new_code(developing: Developing) -> None:
    developing.save(SHOP)
    developing.start("--no-observer")
    first = developing.until("ready in")
    assert f"continuum dev {developing.name}" in first
    assert f"  workflows {developing.name}.order, {developing.name}.waiting" in first
    assert developing.result_of_new_run() == '"charged 1"'

    developing.save(RENAMED)

    said = developing.until("serving the new code")
    assert any(f"saved {developing.name}.py" in line for line in said)
    assert developing.result_of_new_run() == '"paid 1"'
    assert developing.interrupt() == 0
    assert developing.until(END)[-2] == "stopped"
    assert developing.left() == []


def test_a_save_that_cannot_be_imported_leaves_the_code_before_in_service(developing: Developing) -> None:
    developing.save(SHOP)
    developing.start("--no-observer")
    developing.until("ready in")

    developing.save(f"{RENAMED}\nundefined_name\n")

    said = developing.until("the code before stays in service")
    assert any("not loaded: NameError: name 'undefined_name' is not defined" in line for line in said)
    assert any(f"at {developing.name}.py:" in line and "undefined_name" in line for line in said)
    assert developing.result_of_new_run() == '"charged 1"'

    developing.save(RENAMED)
    developing.until("serving the new code")
    assert developing.result_of_new_run() == '"paid 1"'


def test_code_that_a_replay_could_not_repeat_leaves_the_code_before_in_service(
    developing: Developing,
) -> None:
    developing.save(SHOP)
    developing.start("--no-observer")
    developing.until("ready in")
    developing.save(SHOP.replace("    paid = await", "    import time; time.time()\n    paid = await"))
    said = "\n".join(developing.until("the code before stays in service"))
    assert "time.time" in said
    assert developing.result_of_new_run() == '"charged 1"'


def test_code_that_ends_a_host_leaves_the_code_before_in_service(developing: Developing) -> None:
    """It can be imported, but not in a host: what was checked is no longer what is on disk, say."""
    developing.save(SHOP)
    developing.start("--no-observer")
    developing.until("ready in")
    developing.save("import sys\nassert 'continuum_actors.node.node' not in sys.modules\n" + RENAMED)
    said = developing.until("the code before stays in service")
    assert any("ended while the node started: its log says why" in line for line in said)
    assert len([line for line in said if "AssertionError" in line]) < 10
    assert developing.result_of_new_run() == '"charged 1"'


def test_a_save_names_the_open_runs_that_would_not_continue(developing: Developing) -> None:
    developing.save(SHOP)
    developing.start("--no-observer")
    developing.until("ready in")
    run = developing.ask("start", f"{developing.name}.waiting", "1")
    developing.until_history_has(run, "activity_completed")

    developing.save(SHIPS)

    said = developing.until("event 0: the history has")
    assert any("1 open run would not continue with this code:" in line for line in said)
    assert f"{run} {developing.name}.waiting: event 0: the history has" in said[-1]
    assert f"{developing.name}.ship" in said[-1]
    developing.until("if continuum.patched(")


def test_a_save_without_a_change_restarts_nothing(developing: Developing) -> None:
    developing.save(SHOP)
    developing.start("--no-observer")
    developing.until("ready in")
    developing.save(SHOP)
    said = developing.until("the code is the same: nothing restarts")
    assert not any("serving" in line for line in said)


def test_code_that_cannot_be_imported_at_the_start_is_served_after_a_save(developing: Developing) -> None:
    developing.save("def broken(:\n")
    developing.start("--no-observer")
    said = "\n".join(developing.until("nothing is served until a save mends it"))
    assert "SyntaxError" in said
    assert f"{developing.name}.py" in said
    developing.save(SHOP)
    developing.until("serving the new code")
    assert developing.result_of_new_run() == '"charged 1"'


def test_a_module_that_is_not_there_ends_it_with_one_line(developing: Developing) -> None:
    developing.start("--no-observer", module="no_such_module")
    said = developing.until(END)
    assert developing.process is not None
    assert developing.process.wait() == 1
    assert said[-2].startswith("continuum: there is no module 'no_such_module'; name it as in `import")
    assert developing.left() == []


def test_the_link_of_the_observer_signs_in(developing: Developing) -> None:
    developing.save(SHOP)
    developing.start()
    said = developing.until("ready in")
    (link,) = [line.split()[-1] for line in said if line.startswith("  observer ")]
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(link).status_code == 200
        assert browser.get(link.partition("/link")[0] + "/runs").status_code == 200
    assert developing.interrupt() == 0
    assert developing.left() == []
