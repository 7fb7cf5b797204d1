"""What an entry of a directory says about whom it is, without a directory."""

from classifier.services.directories import read_person
from classifier.services.identities import LONGEST_SUBJECT


def test_long_ids_with_the_same_beginning_are_two_people() -> None:
    people = [read_person("anna", f"cn=anna,{'ou=x,' * 100}dc={end}", {}) for end in ("one", "two", "one")]
    assert people[0].subject == people[2].subject != people[1].subject
    assert all(len(person.subject) <= LONGEST_SUBJECT for person in people)


def test_short_ids_stay_as_they_are() -> None:
    assert read_person("anna", "CN=Anna,DC=one", {}).subject == "cn=anna,dc=one"
    assert read_person("anna", "cn=anna", {"entryUUID": ["8f3a"]}).subject == "8f3a"
