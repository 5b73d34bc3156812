# This protocol has no binary messages.
connect
binary
    close 1011 InternalServerError
