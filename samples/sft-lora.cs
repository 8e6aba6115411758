#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// Supervised fine-tuning with LoRA: the adapter is saved in PEFT's files, then merged into the weights.
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var sums = Enumerable.Range(100, 400).Select(i => new Demonstration($"{i}+{i + 123}=", $"<answer>{2 * i + 123}</answer>")).ToArray();

using var adapted = AdaptedModel.Attach(
    model,
    new LoraOptions
    {
        Rank = 8,
        Alpha = 16,
        Targets = ModuleSelection.AllLinear,
    }
);
var options = new SftOptions
{
    Steps = 20,
    BatchSize = 16,
    LearningRate = 1e-3,
};
using var trainer = new SftTrainer(model, tokenizer, options);
foreach (var report in trainer.Run(sums))
    Console.WriteLine($"{report.Step, 3}  loss {report.Loss:F4}");

adapted.Save("artifacts/sft-lora/adapter");
adapted.Merge();
Pretrained.Save(model, tokenizer, "artifacts/sft-lora/model");
