"""Authorised HTTP to one registry.

In: the registry's name, credentials, what the environment says about proxies and certificates. Out: a `RegistryClient` that
reads manifests and blobs, and sends whatever the pusher wants sent: authorised, redirected, retried, with errors for people.

    credentials          who the user is at which registry: docker's and podman's files
    credential_helpers   programs that keep credentials
    credential_store     login and logout: where docker keeps them
    challenge            the grammar of WWW-Authenticate
    authorisation        basic and bearer: tokens fetched, kept, renewed
    proxies, tls         the way there, and whom to trust
    connections          urllib3's connections, with early answers and interruption
    transport            one request, its redirects, one answer
    retry                what is tried again, when, and how often
    answers              what a registry said, for people
    contact              the first request: https or http, a registry or something else
    client               all of it together: manifests read, requests sent
    remote               a blob in a registry as a Content

Nothing here reads the environment of the process: mappings of variables are handed in. No secret appears in a repr, an
error or a log.
"""

from layerkit.registry.client import RegistryClient, connect

__all__ = ["RegistryClient", "connect"]
