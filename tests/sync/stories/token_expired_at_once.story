# A token that was taken within the leeway and has ended all the same: said at once, so that npm gets another.
connect
authenticate 0 User token
    check User token
mutation 0 a:b {}
identity ada for 0 s
    -> AuthError {"error": "Convex token identity expired", "baseVersion": 0, "authUpdateAttempted": true}
    close without status
