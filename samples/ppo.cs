#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// PPO: a critic beside the policy, and a KL penalty towards the start.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Rewards;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
using var frozen = Pretrained.Load(folder);
using var critic = ValueHead.For(model);
var tokenizer = TokenizerFiles.Load(folder);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();

var options = new PpoOptions
{
    Steps = 5,
    BatchSize = 32,
    LearningRate = 3e-4,
    UpdatesPerBatch = 2,
    Critic = critic,
    Reference = ReferencePolicy.Of(frozen),
    Kl = KlControl.Fixed(0.02),
};
using var trainer = new PpoTrainer(model, tokenizer, Reward.MathAnswer(), options);
await foreach (var report in trainer.RunAsync(problems))
    Console.WriteLine($"{report.Step, 3}  reward {report.Metrics["reward/mean"]:F3}  value loss {report.Metrics["value/loss"]:F3}");

Pretrained.Save(model, tokenizer, "artifacts/ppo");
