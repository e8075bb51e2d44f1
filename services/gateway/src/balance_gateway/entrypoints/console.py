"""Accounts of people from the command line: the first administrator, and a way in for who lost theirs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from balance_gateway.adapters.accounts import PostgresAccounts
from balance_gateway.domain.people import LOCALES, Caller, PersonError, Role, path_of

_CALLER = Caller("command line")


def describe_person(parser: ArgumentParser) -> None:
    """`add LOGIN --role ROLE`, `reset LOGIN`."""
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", help="let somebody sign in; prints a one-time password")
    add.add_argument("login")
    add.add_argument("--role", required=True, choices=[str(role) for role in Role])
    add.add_argument("--subtree", default="", help='part of the objects, "Region > Street"; all without it')
    add.add_argument(
        "--locale", choices=LOCALES, help="language of the pages; as the browser asks without it"
    )
    reset = actions.add_parser(
        "reset", help="forget password, second factor and lock; prints a one-time password"
    )
    reset.add_argument("login")


def person(accounts: PostgresAccounts, arguments: Namespace) -> int:
    """Do it: prints the one-time password alone, or why not on standard error (1)."""
    login = arguments.login
    try:
        if arguments.action == "add":
            subtree = path_of(arguments.subtree)
            password = accounts.add(login, arguments.role, subtree, arguments.locale, _CALLER)
        else:
            account = accounts.one(login)
            if account is None:
                raise PersonError("login", "unknown", f"expected the login of an account, found {login}")
            password = accounts.reset(account, _CALLER)
    except PersonError as error:
        print(error, file=sys.stderr)
        return 1
    print(password)
    return 0
