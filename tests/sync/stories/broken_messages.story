# What cannot be read gets a FatalError and a close frame without status; after that nothing is heard.
connect
raw {"type":"Mutation","requestId":0,"udfPath":"a:b:c","args":[{}]}
    -> FatalError {"error": "Received Invalid JSON on websocket: a:b:c is not a valid path to a Convex function. Function name 'b:c' is not an identifier."}
    close without status
raw {"type":"Mutation","requestId":0,"udfPath":"a:b","args":[{}]}
binary
pass 1
