/* eslint-disable */
// Written by `rewake dev` and `rewake codegen` from the Python functions. Do not edit: it will be overwritten.

import { anyApi } from "convex/server";

export const api = anyApi;
export const internal = anyApi;
