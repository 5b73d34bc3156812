"""A stand-in for Clerk on your own machine: accounts, sign-in, tokens, and webhooks signed by svix.

    accounts      who there is, and who is signed in in which browser
    tokens        short-lived tokens and the keys to check them with
    events        what webhooks say, in the shape of the real ones
    outbox        sending webhooks, and sending them again
    pages         sign-in, the account, and the desk from which you play the provider
    app           all of it on one port

It keeps everything in memory, asks for no password and moves no money. Do not let it listen on a network.
"""
