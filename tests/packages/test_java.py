"""Java's archives."""

import pytest

from tests.packages.roots import listed, named, owners_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("guava-31.1-jre.jar", "guava 31.1-jre"),
        ("log4j-1.2-api-2.17.1.jar", "log4j-1.2-api 2.17.1"),
        ("spark-core_2.12-3.5.0.jar", "spark-core_2.12 3.5.0"),
        ("jboss-logging-3.4.3.Final.jar", "jboss-logging 3.4.3.Final"),
        ("netty-tcnative-2.0.1.Final-linux-x86_64.jar", "netty-tcnative 2.0.1.Final-linux-x86_64"),
        ("app-1.0-20230101.123456-1.jar", "app 1.0-20230101.123456-1"),
        ("shop-0.1-SNAPSHOT.war", "shop 0.1-SNAPSHOT"),
        ("x-2.ear", "x 2"),
        ("app.jar", None),
        ("-1.jar", None),
        ("1-2.jar", None),
        ("guava-31.1.zip", None),
    ],
)
def test_what_names_say(name: str, expected: str | None) -> None:
    assert named(owners_of({}), f"opt/lib/{name}") == (expected and f"java {expected}")


def test_an_archive_is_one_package_however_often_it_is_asked_for() -> None:
    owners = owners_of({})
    assert [named(owners, "a-1.jar"), named(owners, "b/a-1.jar"), named(owners, "a-1.jar")] == ["java a 1"] * 3
    assert listed(owners) == ["java a 1"] * 2
