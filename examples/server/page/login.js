// The login page.

import { logIn } from "./api.js";
import { byId, onSubmit } from "./dom.js";
import { translate } from "./text.js";

translate();
onSubmit(byId("login"), async (credentials) => location.assign(await logIn(credentials)));
