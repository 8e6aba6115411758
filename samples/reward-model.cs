#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// A reward model from preferences (Bradley-Terry), and its scores of two answers.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = SequenceClassifier.For(Pretrained.Load(folder));
var tokenizer = TokenizerFiles.Load(folder);
var pairs = Enumerable
    .Range(100, 400)
    .Select(i => new PreferencePair($"{i}+{i + 123}=", $"<answer>{2 * i + 123}</answer>", $"<answer>{2 * i + 23}</answer>"))
    .ToArray();

var options = new RewardOptions
{
    Steps = 20,
    BatchSize = 16,
    LearningRate = 3e-4,
};
using var trainer = new RewardTrainer(model, tokenizer, options);
foreach (var report in trainer.Run(pairs))
    Console.WriteLine($"{report.Step, 3}  loss {report.Loss:F4}  accuracy {report.Metrics["reward/accuracy"]:P0}");

var problem = new Problem("150+150=");
Completion[] answers = [new(problem, "<answer>300</answer>", [], true), new(problem, "<answer>200</answer>", [], true)];
var scores = await LearnedRewards.Outcome(model, tokenizer).ScoreAsync(answers, RewardContext.None);
Console.WriteLine($"300 scores {scores.Values[0]:F3}, 200 scores {scores.Values[1]:F3}");
Pretrained.Save(model, "artifacts/reward-model");
