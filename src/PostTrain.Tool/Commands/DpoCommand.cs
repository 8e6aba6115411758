using System.CommandLine;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary><c>posttrain dpo</c>: DPO and its family, CPO and SimPO, ORPO, KTO.</summary>
internal sealed class DpoCommand : TrainingCommand
{
    private readonly Option<string?> loss;
    private readonly Option<double?> beta;

    internal DpoCommand(Terminal terminal)
        : base(
            "dpo",
            "Learns from preferences: DPO and its family by --loss.",
            new TrainingDefaults(
                "chosen and rejected with a prompt, texts or messages; for kto also prompt, completion and label",
                8,
                3e-4,
                1
            ),
            terminal
        )
    {
        loss = Choice("--loss", "The loss.", "sigmoid", PreferenceLossNames.All);
        beta = Of<double?>(
            "--beta",
            "How near the policy is held to the model as it was; for orpo its weight λ [default: the method's].",
            null,
            OptionRange.Positive
        );
    }

    protected override Task TrainAsync(TrainingRun run, ParseResult values)
    {
        string name = values.GetValue(loss)!;
        double? given = values.GetValue(beta);
        using var model = run.LoadModel();
        if (name == PreferenceLossNames.Kto)
        {
            var judged = run.Read(model, RecordReader.Judged, item => [item.Prompt + item.Completion]);
            var options = run.Options(new KtoOptions { Beta = given ?? 0.1 }, model, judged.Train.Count, judged.Longest);
            using var trainer = new KtoTrainer(model.Model, model.Tokenizer, model.Reference(), options);
            Train(run, model, trainer, judged, name, item => item.Prompt);
            return Task.CompletedTask;
        }
        var pairs = run.Read(model, RecordReader.Pairs, pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]);
        using var pairTrainer = Trainer(run, model, pairs, name, given);
        Train(run, model, pairTrainer, pairs, name, pair => pair.Prompt);
        return Task.CompletedTask;
    }

    private static PairTrainer Trainer(TrainingRun run, LoadedModel model, RunData<PreferencePair> pairs, string name, double? beta)
    {
        if (name == PreferenceLossNames.Orpo)
            return new OrpoTrainer(model.Model, model.Tokenizer, Options(beta is { } weight ? new OrpoOptions { Lambda = weight } : new()));
        if (PreferenceLossNames.Cpo.TryGetValue(name, out var objective))
            return new CpoTrainer(
                model.Model,
                model.Tokenizer,
                Options(new CpoOptions { Objective = beta is { } weight ? objective with { Beta = weight } : objective })
            );
        var options = Options(new DpoOptions { Loss = PreferenceLossNames.Dpo[name], Beta = beta ?? 0.1 });
        if (PreferenceLossNames.ComparesPairs(name))
            options = options with { MicroBatchSize = null };
        return new DpoTrainer(model.Model, model.Tokenizer, model.Reference(), options);

        T Options<T>(T own)
            where T : TrainingOptions => run.Options(own, model, pairs.Train.Count, pairs.Longest, sequences: 2);
    }

    private static void Train<T>(
        TrainingRun run,
        LoadedModel model,
        DatasetTrainer<T> trainer,
        RunData<T> data,
        string name,
        Func<T, Text.MarkedText> prompt
    )
    {
        var prompts = data.HeldOut.Select(prompt).Distinct();
        var before = run.Answers(model, prompts, "before");
        var reports = run.Train(trainer, data, $"Preferences: {name}");
        run.Finish(model, reports, $"Preferences: {name}", before, run.Answers(model, prompts, "after"));
    }
}
