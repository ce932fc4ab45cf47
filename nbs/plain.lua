-- What the pages need beyond Quarto's own filters.

-- A cell that `#| exports` shows is open (nbdev: `code-fold: show`). One of more lines than this begins folded.
local longest_open = 60
local first_image = true

-- The public names that a cell defines.
local function defined(text)
  local names = {}
  for line in text:gmatch("[^\n]+") do
    local name = line:match("^class%s+([%w_]+)") or line:match("^def%s+([%w_]+)")
    if name and name:sub(1, 1) ~= "_" then table.insert(names, name) end
  end
  return names
end

function CodeBlock(block)
  -- nbdev turns `names` into links even in the signatures that it prints; in code a link is noise, so the name stays.
  block.text = block.text:gsub("%[(`[^`]+`)%]%(https?://[^%s)]*%)", "%1")
  if block.attributes["code-fold"] == "show" then
    local _, breaks = block.text:gsub("\n", "\n")
    if breaks + 1 > longest_open then block.attributes["code-fold"] = "true" end
    local names = table.concat(defined(block.text), ", ")
    block.attributes["code-summary"] = names == "" and "Source" or "Source of " .. names
  end
  return block
end

-- nbdev finds the command `curate` before the function of the same name. Outside of the pages of the command line the
-- function is meant; a name that only a command has is a plain word there.
local functions = {
  adapt = "privacy/adapter", audit_split = "data/leakage", curate = "data/curation", download = "data/sources",
  evaluate = "metrics/evaluation", release = "report/cards", bench_designs = "report/benchmark",
  bench_speed = "report/benchmark", bench_train = "training/profiling",
}
-- Names of functions that nearly everywhere are meant as an ordinary word: the source `rendered:N`, the column `box`.
local ordinary = { rendered = true, box = true }
local input = quarto and quarto.doc and quarto.doc.input_file or ""
local of_commands = input:match("cli%.ipynb$") or input:match("commands%.ipynb$")

function Link(link)
  local page, anchor = link.target:match("^(https?://.*%.html)#([%w_.]+)$")
  if not anchor or #link.content ~= 1 or link.content[1].t ~= "Code" then return nil end
  if anchor:sub(1, 1) == "_" then return link.content end -- a private name has no heading
  anchor = anchor:match("^[^.]+") -- a method stands under its class
  if ordinary[anchor] then return link.content end
  local home = page:match("^(.*/)cli%.html$")
  if home and not of_commands then
    if not functions[anchor] then return link.content end
    page = home .. functions[anchor] .. ".html"
  end
  link.target = page .. "#" .. anchor
  return link
end

-- In tables of up to six columns an interval stays in one line: "[0.566, 0.646]".
local function unbroken(inlines)
  for i = 1, #inlines - 2 do
    local from, space, to = inlines[i], inlines[i + 1], inlines[i + 2]
    if from.t == "Str" and to.t == "Str" and space.t == "Space" and from.text:match("^%[[%d.+-]+,$") and to.text:match("^[%d.+-]+%]") then
      inlines[i + 1] = pandoc.Str("\u{a0}")
    end
  end
  return inlines
end

-- A table of three columns or more whose last one holds sentences: page.scss sets it in another way on a telephone.
local sentence = 30 -- characters of a cell, on average
local function prose_last(tbl)
  local align, cells, length = tbl.colspecs[#tbl.colspecs][1], 0, 0
  if #tbl.colspecs < 3 or align == "AlignRight" or align == "AlignCenter" then return false end
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      local last = row.cells[#row.cells]
      if last then cells, length = cells + 1, length + #pandoc.utils.stringify(last.contents) end
    end
  end
  return cells > 0 and length / cells >= sentence
end

function Table(tbl)
  if #tbl.colspecs == 0 then return nil end
  if prose_last(tbl) then tbl.classes:insert("prose-last") end
  if #tbl.colspecs <= 6 then tbl = tbl:walk({ Inlines = unbroken }) end
  return tbl
end

-- Images below the first are loaded when they come near the window.
function Image(image)
  if not first_image then image.attributes["loading"] = "lazy" end
  first_image = false
  return image
end

function RawBlock(block)
  if block.format ~= "html" then return nil end
  block.text = block.text:gsub("<img ", '<img loading="lazy" ')
  return block
end

function Pandoc(doc)
  -- Where the source is open, the signature above it would say the same twice.
  local open = {}
  doc:walk({ CodeBlock = function(block)
    if block.attributes["code-fold"] ~= "show" then return nil end
    for _, name in ipairs(defined(block.text)) do open[name] = true end
  end })
  doc = doc:walk({ CodeBlock = function(block)
    local name = block.text:match("^def ([%w_]+)%(")
    if name and open[name] and not block.classes:includes("cell-code") then return {} end
  end })
  -- The search index leaves the title block out; its subtitle has the words that a user looks for.
  local words = {}
  for _, key in ipairs({ "description", "keywords" }) do
    if doc.meta[key] then table.insert(words, pandoc.utils.stringify(doc.meta[key])) end
  end
  if #words > 0 and FORMAT:match("html") then
    local text = pandoc.Para(pandoc.Str(table.concat(words, ". ")))
    doc.blocks:insert(pandoc.Div({ text }, pandoc.Attr("", { "quarto-include-in-search-index" }, { hidden = "hidden" })))
  end
  return doc
end
