#include "appliance/receipts/page.h"

#include <vector>

#include "appliance/base/progress.h"

namespace skerry::receipts {

namespace {

// The policy lets a browser load nothing at all, should an escape ever be forgotten.
constexpr std::string_view kHead = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>)html";

constexpr std::string_view kStyle = R"html(</title>
<style>
@page { size: A4; margin: 18mm 16mm; }
body { font: 10.5pt/1.4 "Liberation Sans", Arial, Helvetica, sans-serif; color: #000;
  background: #fff; max-width: 178mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font-size: 17pt; margin: 0 0 1mm; }
h2 { font-size: 11.5pt; margin: 6mm 0 1.5mm; border-bottom: 0.4pt solid #000; padding-bottom: 0.8mm;
  break-after: avoid; }
p { margin: 1.5mm 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.7mm 3mm 0.7mm 0; }
th { font-weight: normal; color: #444; width: 34mm; }
tr { break-inside: avoid; }
thead th { color: #444; border-bottom: 0.4pt solid #888; width: auto; }
thead { display: table-header-group; }
.n { text-align: right; white-space: nowrap; }
.h { font: 8pt/1.35 "Liberation Mono", "DejaVu Sans Mono", monospace; word-spacing: -0.1em; }
.name { overflow-wrap: anywhere; }
.small { font-size: 9pt; color: #333; }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 9mm 12mm; margin-top: 10mm;
  break-inside: avoid; }
.sign div { border-top: 0.5pt solid #000; padding-top: 1mm; font-size: 9pt; }
@media print { body { margin: 0; padding: 0; max-width: none; } }
</style>
</head>
<body>
)html";

std::string Hash(const Sha256Digest& digest) {
  return "<span class=\"h\">" + trust::Grouped(digest) + "</span>";
}

std::string Row(std::string_view name, const std::string& value_html) {
  return "<tr><th>" + std::string(name) + "</th><td>" + value_html + "</td></tr>\n";
}

std::string Bytes(uint64_t size) {
  std::string text = std::to_string(size) + (size == 1 ? " byte" : " bytes");
  if (size >= 1000) text += " (" + FormatBytes(size) + ")";
  return text;
}

std::string FloorText(const std::optional<FloorFact>& floor) {
  if (!floor) return "none";
  return "release " + std::to_string(floor->release_seq) + "<br>" + Hash(floor->digest);
}

std::string Keys(const std::vector<trust::KeyId>& keys) {
  std::string html;
  for (const trust::KeyId& id : keys) html += (html.empty() ? "" : "<br>") + Hash(id);
  return html.empty() ? "none recorded" : html;
}

std::string ModelTable(const Receipt& receipt) {
  uint64_t total = 0;
  for (const format::FileEntry& file : receipt.files) total += file.size;
  std::string html = "<h2>Model</h2>\n<table>\n";
  html += Row("Name", "<b class=\"name\">" + EscapeHtml(receipt.id) + "</b>");
  html += Row("Version",
              EscapeHtml(receipt.version) + ", release " + std::to_string(receipt.release_seq));
  html += Row("Format", EscapeHtml(receipt.model_format));
  html += Row("Content", std::to_string(receipt.files.size()) +
                             (receipt.files.size() == 1 ? " file, " : " files, ") + Bytes(total));
  html += Row("Bundle (SHA-256)", Hash(receipt.bundle));
  html += Row("Model (SHA-256)", Hash(receipt.model));
  html += Row("Imported at", EscapeHtml(receipt.imported_at) +
                                 "<br><span class=\"small\">by the appliance's own clock, "
                                 "compared with no other</span>");
  return html + "</table>\n";
}

std::string TrustTable(const Receipt& receipt) {
  std::string html = "<h2>Why it was let in</h2>\n<table>\n";
  html += Row("Signatures", std::to_string(receipt.signers.size()) + " counted, " +
                                std::to_string(receipt.release_threshold) + " needed, of " +
                                std::to_string(receipt.release_keys.size()) + " release keys");
  html += Row("Signed by", Keys(receipt.signers));
  html += Row("Trust root", "version " + std::to_string(receipt.root_version) + "<br>" +
                                (receipt.root_fingerprint ? Hash(*receipt.root_fingerprint)
                                                          : "fingerprint not recorded"));
  html +=
      Row("Revocation list",
          receipt.revocations == 0 ? "none" : "sequence " + std::to_string(receipt.revocations));
  html += Row("Floor before", FloorText(receipt.floor_before));
  html += Row("Floor after", FloorText(receipt.floor_after));
  html += Row("Rollback permit", receipt.permit ? Hash(*receipt.permit) : "none used");
  return html + "</table>\n";
}

std::string FilesTable(std::string_view title, const std::vector<format::FileEntry>& files) {
  if (files.empty()) return "";
  std::string html = "<h2>" + std::string(title) +
                     "</h2>\n<table>\n<thead><tr><th>Name and SHA-256</th>"
                     "<th class=\"n\">Bytes</th></tr></thead>\n<tbody>\n";
  for (const format::FileEntry& file : files) {
    html += "<tr><td><span class=\"name\">" + EscapeHtml(file.name) + "</span><br>" +
            Hash(file.sha256) + "</td><td class=\"n\">" + std::to_string(file.size) +
            "</td></tr>\n";
  }
  return html + "</tbody>\n</table>\n";
}

std::string TemplatesTable(const std::vector<Template>& templates) {
  if (templates.empty()) return "";
  std::string html = "<h2>Chat templates</h2>\n<table>\n";
  for (const Template& item : templates) {
    html += "<tr><td><span class=\"name\">" + EscapeHtml(item.name) + "</span><br>" +
            Hash(item.sha256) + "</td></tr>\n";
  }
  return html + "</table>\n";
}

std::string ProofTable(const SignedReceipt& receipt) {
  const Receipt& facts = receipt.receipt;
  std::string html = "<h2>This receipt</h2>\n<table>\n";
  html += Row("Number", std::to_string(facts.counter));
  html += Row("Digest (SHA-256)", Hash(receipt.digest));
  html += Row("Receipt before", facts.previous ? Hash(*facts.previous) : "none, it is the first");
  html += Row("Appliance's key", Hash(facts.appliance_key));
  html += Row("Written by", "Skerry " + EscapeHtml(facts.software));
  return html + "</table>\n";
}

constexpr std::string_view kFoot = R"html(<p class="small">The signed original is the JSON file of
the same name; this page is made from it and proves nothing by itself. Check the original with
<b>skerry receipts verify FILE --key appliance.pub</b>, after comparing the key above with
<b>skerry receipts key</b> on the appliance.</p>
<div class="sign">
<div>Imported by (name, signature)</div><div>Date by a clock that can be trusted</div>
<div>Witnessed by (name, signature)</div><div>Medium and its seal number</div>
</div>
</body>
</html>
)html";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html.push_back(c);
    }
  }
  return html;
}

std::string ReceiptPage(const SignedReceipt& receipt) {
  const std::string title = "Receipt " + std::to_string(receipt.receipt.counter) + ": " +
                            receipt.receipt.id + " " + receipt.receipt.version;
  std::string html(kHead);
  html += EscapeHtml(title);
  html += kStyle;
  html += "<h1>Receipt " + std::to_string(receipt.receipt.counter) +
          " of a model import</h1>\n<p>This appliance verified the bundle named below, byte by "
          "byte, and put its model into its store.</p>\n";
  html += ModelTable(receipt.receipt);
  html += TrustTable(receipt.receipt);
  html += FilesTable("Files", receipt.receipt.files);
  html += FilesTable("Documents", receipt.receipt.documents);
  html += TemplatesTable(receipt.receipt.templates);
  html += ProofTable(receipt);
  html += kFoot;
  return html;
}

}  // namespace skerry::receipts
