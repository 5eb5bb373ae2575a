"""Flags that mean the same to every command that has them."""

import argparse


def add_files(command: argparse.ArgumentParser) -> None:
    """Where LLMDeployments are read from."""
    command.add_argument(
        "-f",
        "--filename",
        dest="files",
        metavar="FILE",
        action="append",
        required=True,
        help="file, folder or - for standard input; may be given several times",
    )


def add_namespace(command: argparse.ArgumentParser) -> None:
    """Where those are that do not say it."""
    command.add_argument(
        "-n",
        "--namespace",
        default="default",
        help="namespace of LLMDeployments that name none (default: %(default)s)",
    )
