# Nothing is told to a user whose token has ended: the next wave, mutation or action is where it shows.
connect
authenticate 0 User token
    check User token
modify 0 1: +0 a:b {}
identity ada for 20 s
    become ada
    want wave
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0=1.0
    -> Transition 0/0/0 to 1/1/5: 0=1.0
pass 19
    ping frame
    -> Ping
wave begins
    yes
wave ends at 6: 0=2.0
    -> Transition 1/1/5 to 1/1/6: 0=2.0
# An idle socket outlives its token.
pass 1
pass 15
    ping frame
    -> Ping
wave begins
    -> AuthError {"error": "Convex token identity expired", "baseVersion": 1, "authUpdateAttempted": false}
    close without status
