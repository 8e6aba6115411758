using System.CommandLine;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Text;

namespace PostTrain.Tool;

/// <summary><c>posttrain reward</c>: a reward model from preferences.</summary>
internal sealed class RewardCommand : TrainingCommand
{
    private readonly Option<double> centering;

    internal RewardCommand(Terminal terminal)
        : base(
            "reward",
            "Trains a reward model on preferences (Bradley-Terry). An adapter is merged when the model is saved.",
            new TrainingDefaults("chosen and rejected with a prompt, texts or messages", 8, 3e-4, 1),
            terminal
        ) =>
        centering = Of(
            "--centering",
            "Weight of the square of the sum of a pair's scores, which keeps them around 0.",
            0.0,
            OptionRange.AtLeast(0)
        );

    protected override Task TrainAsync(TrainingRun run, ParseResult values)
    {
        if (values.GetValue(Quantize) is not null)
            throw new UsageException("--quantize is given, but a reward model is saved whole, expected none");
        using var model = run.LoadModel();
        var data = run.Read(model, RecordReader.Pairs, pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]);
        var classifier = SequenceClassifier.For(model.Model, new ClassifierOptions { Head = new HeadOptions { Seed = run.Seed } });
        var options = run.Options(
            new RewardOptions { CenteringCoefficient = values.GetValue(centering) },
            model,
            data.Train.Count,
            data.Longest,
            sequences: 2
        );
        using var trainer = new RewardTrainer(classifier, model.Tokenizer, options);
        var reports = run.Train(trainer, data, "Reward model");
        var description = run.Describe(
            classifier.parameters().Where(parameter => parameter.requires_grad).Sum(parameter => parameter.numel())
        );
        model.Adapters?.Merge();
        var saved = run.Save(
            "model",
            directory =>
            {
                Pretrained.Save(classifier, directory);
                TokenizerFiles.Save(model.Tokenizer, directory);
            },
            description,
            reports
        );
        run.Finish(description, reports, "Reward model", []);
        Terminal.Line($"saved: {saved}");
        Terminal.Line($"use it: posttrain grpo --reward model:{saved}");
        return Task.CompletedTask;
    }
}
