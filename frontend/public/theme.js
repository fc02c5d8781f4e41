// SPDX-License-Identifier: Apache-2.0
// Before the first paint: the theme that was chosen here; without one the system's.
try {
  const theme = localStorage.getItem("plankton.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme.
}
