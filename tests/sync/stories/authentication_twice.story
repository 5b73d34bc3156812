# A second Authenticate waits for the first; each moves the identity by one.
connect
authenticate 0 User a
    check User a
authenticate 1 User b
action 0 a:b {}
identity ada
    become ada
    want wave
    check User b
identity admin
    become admin
    want wave
    run action 0 a.js:b {} as admin
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/2/5: nothing
