"""Profiles as TOML: what is read, and what is said of what can't be."""

from datetime import date

import pytest

from layerkit.errors import UsageError
from layerkit.image.media_types import Compression, Family
from layerkit.profiles import GENERIC, KNOWN, REPLICATED, Figure, UploadRules, Way
from layerkit.profiles.reading import profiles_in

ALL = {profile.name: profile for profile in KNOWN}


def test_a_value_stands_alone_or_with_its_source() -> None:
    text = """
    [mine]
    hosts = ["Registry.example.com"]
    max_layer_size = { value = "2GB", source = "its manual", date = 2026-11-26 }
    upload.way = "whole"
    upload.max_body = { value = 12_000_000, source = "seen" }
    """
    mine = profiles_in(text, "profiles.toml", ALL)["mine"]
    assert mine.hosts == ("registry.example.com",)
    assert mine.max_layer_size == 2_000_000_000
    assert mine.upload == UploadRules(Way.WHOLE, GENERIC.upload.chunk_size, max_body=12_000_000)
    assert mine.figures["max_layer_size"] == Figure("its manual", date(2026, 11, 26))
    assert mine.figures["upload.max_body"] == Figure("seen", None)
    assert "max_layers" in mine.figures, "as in generic, and so is where it comes from"


def test_a_value_without_a_source_has_none() -> None:
    assert "max_layer_size" not in profiles_in("[mine]\nmax_layer_size = 1", "profiles.toml", ALL)["mine"].figures


def test_what_is_not_said_is_as_in_generic_or_as_in_another() -> None:
    text = '[one]\nparallel = 1\n[two]\nlike = "replicated"\nhosts = ["two.example"]\n[three]\nlike = "one"'
    own = profiles_in(text, "profiles.toml", ALL)
    assert own["one"].family is None and own["one"].parallel == 1
    assert (own["two"].family, own["two"].compressions) == (Family.DOCKER, frozenset({Compression.GZIP}))
    assert own["two"].hosts == ("two.example",), "another's hosts stay its own"
    assert own["three"].parallel == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "profiles.toml: expected TOML"),
        ("[a]\nparallel = " + "9" * 5000, "profiles.toml: expected TOML"),
        ("a = 1", "profiles.toml: expected tables named like [my-registry], found 'a'"),
        ('["A b"]', "found 'A b'"),
        (
            "[a]\nmax_layer_sise = 1",
            "a.max_layer_sise: there is no such field; expected one of title, hosts, note",
        ),
        ('[a]\nmax_layer_size = "big"', "a.max_layer_size: expected a size such as \"500MB\" or 500_000_000, found 'big'"),
        ("[a]\nmax_layer_size = true", "found True"),
        ("[a]\nmax_layer_size = { source = 's' }", "a.max_layer_size: expected a value, or { value, source, date }"),
        ("[a]\nmax_layer_size = { value = 1, source = 2 }", "a.max_layer_size.source: expected a text, found 2"),
        (
            "[a]\nmax_layer_size = { value = 1, date = 'May' }",
            "a.max_layer_size.date: expected a date as 2026-11-26, found 'May'",
        ),
        ("[a]\nparallel = 0", "a.parallel: expected a whole number from 1 to 999,999, found 0"),
        ("[a]\nupload = 1", "a.upload: expected a table, found 1"),
        ("[a]\nupload.way = 'by post'", "a.upload.way: expected one of 'whole', 'streamed', 'chunked', found 'by post'"),
        ("[a]\nupload.way = []", "found []"),
        ("[a]\nupload.max_seconds = -1", "a.upload.max_seconds: expected a number of seconds, found -1"),
        ("[a]\nfamilies = []", "a.families: expected a list of some of 'oci', 'docker', found []"),
        ("[a]\nfamilies = ['dockr']", "a.families: expected one of 'oci', 'docker', found ['dockr']"),
        ("[a]\nattestations = 'no'", "a.attestations: expected true or false, found 'no'"),
        ("[a]\nhosts = 'example.com'", "a.hosts: expected a list of host names without port"),
        ("[a]\nhosts = ['example.com:5000']", "a.hosts: expected a list of host names without port"),
        ('[a]\ntitle = "two\\nlines"', "a.title: expected a text of one line"),
        ("[a]\nhelper = '../sh'", "a.helper: expected a helper's name"),
        ("[a]\nlogin = 1", "a.login: expected a text of one line, found 1"),
        ("[a]\nlike = 'nobody'", "a.like: expected one of generic, replicated"),
        ("[a]\nlike = []", "a.like: expected one of"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        profiles_in(text, "profiles.toml", {"generic": GENERIC, "replicated": REPLICATED})
    assert said in str(caught.value)
