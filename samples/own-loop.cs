#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// A loop of one's own: the trainer takes single steps, the loop decides on batches and checkpoints.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var options = new GrpoOptions
{
    Steps = 10,
    GroupSize = 8,
    LearningRate = 1e-3,
};
using var trainer = new GrpoTrainer(model, tokenizer, Reward.MathAnswer(), options);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();
var block = 0;
while (trainer.StepsDone < 10)
{
    var report = await trainer.StepAsync(problems[(8 * block)..(8 * block + 8)]);
    var reward = report.Metrics["reward/mean"];
    Console.WriteLine($"{report.Step, 3}  block {block}  reward {reward:F3}");
    if (reward >= 0.5)
        block++; // the next problems, once half of these are solved
    if (trainer.StepsDone == 5)
        Console.WriteLine($"checkpoint {trainer.SaveCheckpoint("artifacts/own-loop")}");
}
Pretrained.Save(model, tokenizer, "artifacts/own-loop/model");
