"""Man pages, from the commands' own help. Out: `layerkit.1`, and `layerkit-COMMAND.1` for each.

make man        writes them into man/, from where a wheel takes them to share/man/man1
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from layerkit.cli.main import COMMANDS, cli

EXIT_CODES = (
    ("0", "done"),
    ("1", "check found something, verify found a difference"),
    ("2", "usage"),
    ("3", "the image is unreadable or damaged"),
    ("4", "it can't be fixed as asked, or the output can't be written"),
    ("5", "refused by the registry: login, 4xx"),
    ("6", "registry unreachable, or failing after retries"),
    ("130", "interrupted (129 by SIGHUP, 143 by SIGTERM)"),
)


def pages() -> dict[str, str]:
    """Name of the file -> roff."""
    root = click.Context(cli, info_name="layerkit")
    found = {"layerkit.1": "\n".join(_root_page(root)) + "\n"}
    for name, short in COMMANDS.items():
        command = cli.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root)
        found[f"layerkit-{name}.1"] = "\n".join(_command_page(context, name, short)) + "\n"
    return found


def _root_page(context: click.Context) -> Iterator[str]:
    yield from _head("layerkit", "makes a container image go through a registry that refuses it")
    yield from (".SH SYNOPSIS", r".B layerkit", r"\fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]")
    yield from _description(context.command)
    yield ".SH COMMANDS"
    for name, short in COMMANDS.items():
        yield from (".TP", rf".BR layerkit\-{_escaped(name)} (1)", _text(short))
    yield from _options(context)
    yield from (".SH ENVIRONMENT", _text(cli.epilog or ""), ".SH EXIT STATUS")
    for code, meaning in EXIT_CODES:
        yield from (".TP", rf"\fB{code}\fR", _text(meaning))


def _command_page(context: click.Context, name: str, short: str) -> Iterator[str]:
    yield from _head(f"layerkit-{name}", short.removesuffix("."))
    usage = " ".join(context.command.collect_usage_pieces(context))
    yield from (".SH SYNOPSIS", rf".B layerkit {_escaped(name)}", _text(usage))
    yield from _description(context.command)
    yield from _options(context)
    yield from (".SH SEE ALSO", ".BR layerkit (1)")


def _head(title: str, about: str) -> Iterator[str]:
    yield f'.TH "{_escaped(title.upper())}" "1" "" "layerkit" "layerkit"'
    yield from (".SH NAME", rf"{_escaped(title)} \- {_escaped(about)}")


def _description(command: click.Command) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    for number, paragraph in enumerate((command.help or "").split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):  # click's mark for lines that stay as they are
            yield from (".nf", *map(_text, paragraph.removeprefix("\b").strip("\n").splitlines()), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _options(context: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for parameter in context.command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            names, about = record
            yield from (".TP", rf"\fB{_escaped(names)}\fR", _text(about))
    # click keeps this one beside the parameters, and names it by the first context that asked.
    yield from (".TP", r"\fB\-h, \-\-help\fR", "Show a short form of this page.")


def _text(line: str) -> str:
    """A line of text that is no request, whatever it begins with."""
    text = _escaped(line)
    return rf"\&{text}" if text.startswith((".", "'")) else text


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...").replace("'", r"\(aq").replace("`", r"\(ga")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
