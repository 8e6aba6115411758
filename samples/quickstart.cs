#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();
var right = Reward.MathAnswer(); // is the extracted answer right?
var format = Reward.Format(@".*<answer>\d+</answer>"); // does the whole completion match?

var options = new GrpoOptions
{
    Steps = 10,
    GroupSize = 8,
    LearningRate = 1e-3,
};
using var trainer = new GrpoTrainer(model, tokenizer, Reward.Weighted((1.0, right), (0.1, format)), options);
await foreach (var report in trainer.RunAsync(problems))
    Console.WriteLine($"{report.Step, 3}  reward {report.Metrics["reward/mean"]:F3}  right {report.Metrics["reward/correct"]:P0}");

Pretrained.Save(model, tokenizer, "artifacts/quickstart");
