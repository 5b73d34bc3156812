"""The admin key: opaque, unguessable, compared whole."""

import pytest

from rewake.auth import AdminKey, new_admin_key
from rewake.auth.keys import BadAdminKey
from rewake.environment import seeded_environment


def test_a_new_key_names_its_deployment_and_holds_no_colon():
    key = new_admin_key("chat", seeded_environment(1))
    name, _, secret = key.text.partition("|")
    assert name == "chat"
    assert len(bytes.fromhex(secret)) == 32
    assert ":" not in key.text


def test_two_keys_differ():
    environment = seeded_environment(1)
    assert new_admin_key("chat", environment) != new_admin_key("chat", environment)


def test_the_right_key_passes_with_and_without_an_environment_prefix():
    AdminKey("chat|00ff").check("chat|00ff")
    AdminKey("chat|00ff").check("prod:chat|00ff")


@pytest.mark.parametrize("presented", ["", "chat|00fe", "chat|00ff ", "other|00ff", "chat|00ff\0", "chat|é"])
def test_another_key_is_refused(presented):
    with pytest.raises(BadAdminKey) as refused:
        AdminKey("chat|00ff").check(presented)
    assert refused.value.status == 401
    assert str(refused.value) == "The provided admin key was invalid for this instance"
