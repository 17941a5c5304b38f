/* In JupyterLite: Python comes from another address than the site. Where that is blocked, cells wait for ever and nothing
   says why; this asks for it, and says so. */
(async function () {
  "use strict";

  const settings = await (await fetch("../jupyter-lite.json")).json();
  const plugins = Object.values(settings["jupyter-config-data"].litePluginSettings);
  const address = plugins.map((plugin) => plugin.pyodideUrl).find(Boolean);
  try {
    await fetch(address, { method: "HEAD", mode: "no-cors" });
  } catch {
    const line = document.createElement("div"), close = document.createElement("button");
    line.setAttribute("role", "alert");
    line.style.cssText = "position:fixed;inset:auto 0 0 0;z-index:10000;padding:12px 16px;font:16px/1.4 sans-serif;" +
      "background:#7a1f1f;color:#fff;display:flex;gap:16px;justify-content:space-between";
    line.append(`Python cannot be fetched: ${new URL(address).host} is out of reach from here, without a network or ` +
      "behind a filter, and the cells would wait for ever. The page's rocket has other ways to run the chapter, and " +
      "its download takes the notebook to your own machine.");
    close.textContent = "Close";
    close.onclick = () => line.remove();
    line.append(close);
    document.body.append(line);
  }
})();
