"""What the report of a run says, and where its numbers and figures go."""

from string import Template

REPORT = Template("""<div class="finding">
<p class="claim">$claim</p>
<p>$verdict</p>
<p>$ensemble</p>
<p class="quiet">$basis</p>
</div>

$gate
<h2>Test scores</h2>
<div class="wide">
<table>
<thead>
<tr><th></th><th class="starts" colspan="3">AUC</th><th class="starts" colspan="3">Logloss</th>
<th class="starts" colspan="2">RelaImp of mutual over</th></tr>
<tr><th>Peer</th><th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th></tr>
</thead>
<tbody>
$scores
</tbody>
</table>
</div>
<p class="quiet">An ensemble's RelaImp over pretrained is against the mean pretrained peer of its
group. Baseline: $baseline</p>
<dl>
$explained
</dl>

<h2>Gain and its uncertainty</h2>
<p class="quiet">An interval that crosses zero shows no gain.</p>
$auc

<h2>Learning curves</h2>
<p class="quiet">One line per peer. Epochs of finetuning count from the pretrained peer.</p>
$learning

<h2>Calibration</h2>
<p class="quiet">20 bins of equal mass, one line per peer; above the black line the model promises
too few clicks, below it too many.</p>
$calibration
<div class="wide">
<table>
<thead>
<tr><th></th><th class="starts" colspan="3">PCOC (1 is right)</th>
<th class="starts" colspan="3">ECE (0 is right)</th></tr>
<tr><th>Peer</th><th class="starts">pretrained</th><th>control</th><th>mutual</th>
<th class="starts">pretrained</th><th>control</th><th>mutual</th></tr>
</thead>
<tbody>
$calibration_rows
</tbody>
</table>
</div>

<h2>Agreement of the peers</h2>
<p class="quiet">Mean over the pairs of peers, one line per group: do they predict alike, and do
they err alike? An ensemble gains only from peers that err differently.</p>
$agreement

<h2>How this was run</h2>
<details><summary>Data set</summary><dl>
$dataset
</dl></details>
<details><summary>Configuration</summary><pre>$config</pre></details>
<details><summary>Versions</summary><dl>
$versions
</dl></details>""")
