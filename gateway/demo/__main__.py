"""The command behind `make demo`: `python -m gateway.demo [--exit]`."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from billing_core.clock import monotonic
from gateway.demo import running, world
from gateway.demo.api import Api, DemoFailed
from gateway.demo.month import Month
from gateway.demo.show import Screen

INTERRUPTED = 130


@click.command()
@click.option("--exit", "exits", is_flag=True, help="Stop after the result.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".tallygate/demo"),
    show_default=True,
    help="Where its gateway keeps state; made anew each time.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option(
    "--litellm-python",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="An interpreter that has LiteLLM, if this one has not.",
)
def main(*, exits: bool, data_dir: Path, port: int, litellm_python: Path | None) -> None:
    """Play a month of billing on a gateway of its own, show the invoices, keep serving."""
    screen = Screen()
    python = litellm_python or Path(sys.executable)
    try:
        running.require_litellm(python)
        status = asyncio.run(_run(screen, data_dir, port, python, exits=exits))
    except (DemoFailed, OSError) as error:
        told = f"The demo failed: {error}"
        if (data_dir / running.MARK).exists():
            told += f"\nLogs are in {data_dir}"
        screen.console.print(told, style="red", markup=False, soft_wrap=True)
        status = 1
    sys.exit(status)


async def _run(screen: Screen, data_dir: Path, port: int, python: Path, *, exits: bool) -> int:
    task = asyncio.current_task()
    if task is None:
        message = "the demo runs outside of a task"
        raise DemoFailed(message)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    shown = False
    started = monotonic()
    # cancelled by a signal: what was started is stopped on the way here
    with suppress(asyncio.CancelledError):
        directory = running.fresh_directory(data_dir)
        async with running.gateway(directory, port) as gateway:
            await _play(screen, gateway, python)
            shown = True
            screen.say(f"All of it took {monotonic() - started:.1f} s.")
            if not exits:
                screen.say("The gateway keeps serving; Ctrl-C stops it.")
                await asyncio.Event().wait()
    if shown:
        again = f"make serve ARGS='--data-dir {data_dir}'"
        screen.say(f"The gateway is stopped. Its data stays; look again with: {again}")
        return 0
    screen.say("Stopped.")
    return INTERRUPTED


async def _play(screen: Screen, gateway: running.Running, python: Path) -> None:
    screen.say(f"Tallygate runs on {gateway.url}, its data is in {gateway.data_dir}")
    async with Api(gateway.url, {"X-Admin-API-Key": gateway.admin_key}) as admin:
        made = await admin.post("/admin/organizations", {"organization": world.ORGANIZATION})
    api_key = made["api_key"]
    async with Api(gateway.url, {"Authorization": f"Bearer {api_key}"}) as api:
        paths = await Month(api, screen, gateway, api_key, python).play()
    screen.files(paths)
    screen.links(gateway.url, api_key)


if __name__ == "__main__":
    main()
