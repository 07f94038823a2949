"""Who may ask what: a ValidatingAdmissionPolicy for RolloutRequests. Each action is a verb of its own in RBAC."""

from controller.spec.openapi import Schema
from controller.spec.schema import GROUP
from controller.spec.yaml_text import write_document

HEADER = """# Generated from controller/spec by `make schema`. Do not edit.
# A RolloutRequest carries the name of the one who makes it, and needs the verb of its action on the rollout. To grant:
#   rules:
#   - {apiGroups: [tidegate.dev], resources: [rolloutrequests], verbs: [create, get, list, watch]}
#   - {apiGroups: [tidegate.dev], resources: [modelrollouts], resourceNames: [support-bot], verbs: [pause, resume]}
"""
NAME = f"rolloutrequests.{GROUP}"
GRANTED = (
    f"authorizer.group('{GROUP}').resource('modelrollouts').namespace(request.namespace)"
    ".name(object.spec.rollout).check(object.spec.action).allowed()"
)
TRUE_NAME = "object.spec.requestedBy == request.userInfo.username"
FALSE_NAME = (
    "'requestedBy is `' + object.spec.requestedBy + '` and the API server knows you as `' + request.userInfo.username "
    "+ '` (write your own name)'"
)
NOT_GRANTED = (
    "'`' + request.userInfo.username + '` may not ' + object.spec.action + ' modelrollouts.tidegate.dev `' + "
    "object.spec.rollout + '` in the namespace `' + request.namespace + '` (grant {apiGroups: [tidegate.dev], "
    "resources: [modelrollouts], verbs: [' + object.spec.action + ']})'"
)


def policy() -> str:
    """The policy and its binding."""
    return HEADER + "---\n".join(write_document(one) for one in (_policy(), _binding()))


def _policy() -> Schema:
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["rolloutrequests"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [
                {"expression": TRUE_NAME, "messageExpression": FALSE_NAME, "reason": "Forbidden"},
                {"expression": GRANTED, "messageExpression": NOT_GRANTED, "reason": "Forbidden"},
            ],
        },
    }


def _binding() -> Schema:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }
