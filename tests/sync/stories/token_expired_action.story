# The same for actions; an administrator's key does not end.
connect
authenticate 0 Admin key
    check Admin key
identity admin
    become admin
    want wave
frame
pass 100
    ping frame
    -> Ping
action 0 a:b {}
    run action 0 a.js:b {} as admin
authenticate 1 User token
    check User token
identity ada for 20 s
    become ada
    want wave
pass 20
    ping frame
    -> Ping
action 1 a:b {}
    -> AuthError {"error": "Convex token identity expired", "baseVersion": 0, "authUpdateAttempted": false}
    close without status
