#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// GRPO with an asynchronous reward of one's own: here a service that answers late would be asked.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();
var reward = Reward.OfAsync(
    "service",
    async (completion, cancellation) =>
    {
        await Task.Delay(TimeSpan.FromMilliseconds(1), cancellation);
        return completion.Text.Contains($"<answer>{completion.Problem.Answer}</answer>") ? 1 : 0;
    }
);

var options = new GrpoOptions
{
    Steps = 10,
    GroupSize = 8,
    LearningRate = 1e-3,
};
using var trainer = new GrpoTrainer(model, tokenizer, reward, options);
await foreach (var report in trainer.RunAsync(problems))
    Console.WriteLine($"{report.Step, 3}  reward {report.Metrics["reward/mean"]:F3}  entropy {report.Metrics["entropy"]:F3}");

Pretrained.Save(model, tokenizer, "artifacts/grpo");
