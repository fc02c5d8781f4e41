// SPDX-License-Identifier: Apache-2.0
// The public interoperability cases of gRPC against @grpc/grpc-js, both ways. Its server neither sees nor makes compressed messages.
import { COMPRESSED, CORE, SOAK, declare, inNode } from '../interop/fixture.mjs';

declare('grpc-js', inNode, { toTheirs: [...CORE, ...SOAK], toOurs: [...CORE, ...COMPRESSED, ...SOAK] });
