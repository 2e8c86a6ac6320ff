"""What editors are told of a spec: a JSON Schema of everything that may be written, long and short.

`json_schema.json_schema` is the one way in. The shape is that of the models; `written` knows the other forms in which
`canonical` takes a value, `texts` describes keys to people.
"""
