# An identity that no longer holds is not an attempt to authenticate.
connect
action 0 a:b {}
    run action 0 a.js:b {} as anonymous
action breaks: Unauthenticated Convex token identity expired
    -> AuthError {"error": "Convex token identity expired", "baseVersion": 0, "authUpdateAttempted": false}
    close without status
