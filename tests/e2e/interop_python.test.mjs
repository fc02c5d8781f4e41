// SPDX-License-Identifier: Apache-2.0
// The public interoperability cases of gRPC against python3-grpcio, both ways.
import { COMPRESSED, CORE, SOAK, declare, inPython } from '../interop/fixture.mjs';

const all = [...CORE, ...COMPRESSED, ...SOAK];
declare('Python', inPython, { toTheirs: all, toOurs: all });
