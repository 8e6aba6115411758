#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Computes bias and variance of policy-gradient estimators exactly, by enumerating every group that a small policy can sample.
//   dotnet run -c Release samples/experiments/estimators.cs [-- DIRECTORY]
using System.Globalization;
using PostTrain.Exact;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Runtime;
using PostTrain.Training;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

const int groupSize = 4;
const double beta = 0.2;
if (args.Any(argument => argument.StartsWith('-')))
{
    Console.WriteLine("estimators.cs [DIRECTORY]: writes its report there, by default to artifacts/estimators");
    return args is ["--help" or "-h"] ? 0 : 2;
}
string directory = args.Length > 0 ? args[0] : Path.Combine("artifacts", "estimators");
Directory.CreateDirectory(directory);

using var scope = NewDisposeScope();
using var generator = new Generator(1);
var tree = new TokenTree(vocabulary: 2, depth: 3);
var logits = randn([tree.Nodes, tree.Vocabulary], ScalarType.Float64, generator: generator);
var reference = randn([tree.Nodes, tree.Vocabulary], ScalarType.Float64, generator: generator);
var rewards = tensor(new double[] { 0, 1, 0, 0, 1, 0, 1, 0 });
AdvantageEstimator[] advantages =
[
    new("REINFORCE", values => Advantages.Reinforce(values)),
    new("RLOO", values => Advantages.LeaveOneOut(values, groupSize)),
    new("group mean (Dr. GRPO)", values => Advantages.GroupRelative(values, groupSize, GroupScaling.None)),
    new("group mean and std (GRPO)", values => Advantages.GroupRelative(values, groupSize)),
];

var rows = EstimatorReport
    .Of(tree, logits, reference, rewards, beta, groupSize, advantages)
    .OrderBy(row => row.Bias)
    .Select(row =>
        (string[])
            [
                row.Advantage,
                row.Kl.ToString(),
                row.Placement.ToString(),
                row.Bias.ToString("F4", CultureInfo.InvariantCulture),
                row.Variance.ToString("F4", CultureInfo.InvariantCulture),
            ]
    )
    .ToArray();
string[] columns = ["advantage", "KL", "placement", "bias", "variance"];
foreach (var row in rows.Prepend(columns))
    Console.WriteLine($"{row[0], -26} {row[1], -3} {row[2], -14} {row[3], 8} {row[4], 9}");

new HtmlReport(
    "Bias and variance of policy-gradient estimators",
    $"All {Math.Pow(tree.Sequences, groupSize)} groups of {groupSize} completions that a policy on a tree of {tree.Sequences} "
        + "sequences can sample. "
        + "Bias is the distance of the mean estimate from the gradient of J − β·KL, relative to that gradient; variance is summed over "
        + "the parameters."
)
    .Facts(EngineFacts.Describe(), $"β = {beta.ToString(CultureInfo.InvariantCulture)}")
    .Table("Estimators, ordered by bias", new ReportTable(columns, rows))
    .Save(Path.Combine(directory, "report.html"));
Console.WriteLine($"written: {Path.Combine(directory, "report.html")}");
return 0;
