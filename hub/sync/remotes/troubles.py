"""What goes wrong on the way to a forge, in a sentence that says what to do. Pure."""

from __future__ import annotations

import re

from hub.errors import HubError
from hub.sync.remotes.addresses import Address


class Trouble(HubError):
    """The forge cannot be reached or says no; `kind` says which."""

    status = 422

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence, kind=kind)
        self.kind = kind


_SAID: tuple[tuple[str, str, str], ...] = (
    ("hostkey", r"REMOTE HOST IDENTIFICATION|Host key verification failed|No \S+ host key is known",
     "{name} shows another host key than the one that was confirmed. If its keys were changed on "
     "purpose, look at the new ones under Settings, Git, and confirm them; else ask who runs it."),
    ("moved", r"stale info|fetch first|non-fast-forward|cannot lock ref|remote ref is at|"
              r"failed to update ref|incorrect old value",
     "{name} was changed at the same moment; it is tried again."),
    ("atomic", r"does not support --atomic", "{name} cannot move two branches at once."),
    ("protected", r"GH006|protected branch|not allowed to (?:force )?push|hook declined|"
                  r"denying (?:non-fast-forward|ref deletion)|\[remote rejected\]|"
                  r"service not enabled",
     "{name} does not let the hub push to {where}{because}. Allow the hub's account to do so "
     "there; it is tried again by itself."),
    ("redirect", r"unable to update url base from redirection|returned error: 30\d",
     "{name} sends the hub to another address. Enter the address that it leads to."),
    ("archived", r"was archived|is archived|archived so it is read-only",
     "{name} was archived over there, so nothing can be sent to it. Unarchive it, or link another "
     "repository."),
    ("auth", r"Authentication failed|marked as read.only|not have write access|: Unauthorized|"
             r"FATAL: W any \S+ \S+ DENIED|could not read (?:Username|Password)|Access denied|"
             r"returned error: 40[13]|Permission (?:to .* )?denied|publickey|"
             r"access denied(?! or repo)|not authorized|Invalid username or password",
     "{name} {refuses}. {mend}"),
    ("missing", r"[Rr]epository .*not found|not found|could not be found|"
                r"FATAL: R any \S+ \S+ DENIED|does not appear to be a git repository|"
                r"returned error: 404|does not exist|no matching repository|not exported",
     "There is no repository at {name}, or the hub's {secret} may not see it."),
    ("certificate", r"SSL certificate|certificate verif|unable to get local issuer",
     "The certificate of {name} is not one that the hub trusts. If an authority of your own made "
     "it, the hub's operator can name that in PROMPTHUB_CA_FILE."),
    ("shallow", r"shallow",
     "{name} holds only a part of its history (a shallow copy). Link the whole one."),
    ("web", r"is this a git repository",
     "What answers at {name} is a web server, but no git repository. Enter the address that one "
     "clones from; forges show it at the repository's page."),
    ("kind", r"object.format|hash algorithm|mismatched algorithms",
     "{name} uses another kind of commit ids (SHA-256) than the hub. Make it with SHA-1."),
    ("full", r"No space left|Disk quota", "The disk is full, so nothing could be carried over."),
    ("objects", r"fsck|bad object|index-pack|unpack-objects|did not receive expected object|"
                r"File too large|out of memory",
     "git does not accept what {name} sent: {said}"),
    ("away", r"", "{name} cannot be reached just now; it is tried again by itself.{last}"),
)  # fmt: skip

_NOTHING = re.compile(
    r"fatal: Could not read from remote|Please make sure you have|and the repository exists|"
    r"fatal: [Tt]he remote end hung up|timed out$|Warning: Permanently added"
)
"""Lines that say no more than that it failed."""


def told(
    address: Address, said: str, *, bare: bool = False, writing: bool = False
) -> Trouble:  # fmt: skip
    """What git complained about, as people read it; `bare`: it was given nothing to get in with,
    `writing`: it had been let in to read."""
    ssh = address.scheme == "ssh"
    refuses = f"does not accept the hub's {'deploy key' if ssh else 'token'}"
    if writing or (bare and not ssh):
        refuses = "asks for a token" if bare else "lets the hub read, but not write"
    words = {
        "refuses": refuses + _remark(said),
        "name": address.name, "said": _last(said), "because": _because(said),
        "where": _where(said),
        "secret": "deploy key" if ssh else "token", "last": _heard(said),
        "mend": "Add the deploy key to the repository there, with the right to write." if ssh else
                "Make a token that may write to this repository, and enter it under Settings, Git.",
    }  # fmt: skip
    for kind, pattern, sentence in _SAID:
        if re.search(pattern, said):
            return Trouble(kind, sentence.format_map(words))
    raise AssertionError("the last one fits everything")


def _where(said: str) -> str:
    """The branches that it refused, as `git push --porcelain` names them: of several that were to
    move at once, the others are told apart by their reason."""
    refused = r"^!\t\S*:refs/heads/(\S+)\t\[remote rejected\] \((?!atomic )"
    found = [_plain(one) for one in re.findall(refused, said, re.M)]
    if not found:
        return "it"
    shown = [*found[:3], "others"] if len(found) > 3 else found
    *first, last = shown
    return f"its branches {', '.join(first)} and {last}" if first else f"its branch {last}"


def _because(said: str) -> str:
    """The other side's own reason, if it gave one."""
    found = re.search(r"\[remote rejected\] .*?\((?!atomic )(.+)\)$", said, re.M)
    if found and found[1] == "unpacker error":  # what it could not do, it said before
        found = re.search(r"unpack failed: (.+)$", said, re.M) or found
    return f" ({_plain(found[1])})" if found else ""


def _remark(said: str) -> str:
    """What a forge adds to a no, as "The token has expired."."""
    found = re.findall(r"^remote: (?:ERROR: )?([^=\s].*)$", said, re.M)
    return f" ({_plain(found[0]).rstrip('.')})" if found else ""


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if re.search("fatal|error", line)]
    return _plain(lines[-1] if lines else said[-200:])


def _heard(said: str) -> str:
    """What was said about it, in git's words: whoever runs the other machine knows them."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if line and not _NOTHING.match(line)]
    return f" git says: {_plain(told[-1])}" if told else ""


def _plain(text: str) -> str:
    return ascii(text)[1:-1][:200]
