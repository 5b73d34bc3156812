# AuthError names the identity version of the last Transition: with any other npm takes it for old news.
connect
authenticate 0 User good
    check User good
identity ada
    become ada
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/1/5: nothing
authenticate 1 User bad
    check User bad
mutation 0 a:b {}
identity refused: Unauthenticated Could not parse JWT payload.
    -> AuthError {"error": "Could not parse JWT payload.", "baseVersion": 1, "authUpdateAttempted": true}
    close without status
mutation 1 a:b {}
