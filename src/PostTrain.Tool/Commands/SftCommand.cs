using System.CommandLine;
using PostTrain.Data.Records;
using PostTrain.Supervised;

namespace PostTrain.Tool;

/// <summary><c>posttrain sft</c>: supervised fine-tuning.</summary>
internal sealed class SftCommand : TrainingCommand
{
    private static readonly IReadOnlyDictionary<string, LearntPart> Parts = new Dictionary<string, LearntPart>
    {
        ["assistant"] = LearntPart.Assistant,
        ["last"] = LearntPart.LastTurn,
        ["everything"] = LearntPart.Everything,
    };
    private readonly Option<bool> packing;
    private readonly Option<double> labelSmoothing;
    private readonly Option<string?> learn;

    internal SftCommand(Terminal terminal)
        : base(
            "sft",
            "Fine-tunes a model on demonstrations: the loss is on the completions.",
            new TrainingDefaults("prompt and completion, instruction (input) output, question and answer, or messages", 16, 1e-3, 3),
            terminal
        )
    {
        learn = Choice("--learn", "Part of a conversation that is learnt.", "assistant", Parts.Keys);
        packing = Of("--packing", "Several records in a row of the model's context.", false);
        labelSmoothing = Of("--label-smoothing", "Share of the target that goes to all tokens.", 0.0, OptionRange.Below(0, 1));
    }

    protected override Task TrainAsync(TrainingRun run, ParseResult values)
    {
        using var model = run.LoadModel();
        var data = run.Read(
            model,
            RecordReader.Demonstrations,
            item => [item.Prompt + item.Completion],
            learnt: Parts[values.GetValue(learn)!]
        );
        var options = run.Options(
            new SftOptions { Packing = values.GetValue(packing), LabelSmoothing = values.GetValue(labelSmoothing) },
            model,
            data.Train.Count,
            data.Longest
        );
        using var trainer = new SftTrainer(model.Model, model.Tokenizer, options);
        var before = run.Answers(model, data.HeldOut.Select(item => item.Prompt), "before");
        var reports = run.Train(trainer, data, "Supervised fine-tuning");
        var after = run.Answers(model, data.HeldOut.Select(item => item.Prompt), "after");
        run.Finish(model, reports, "Supervised fine-tuning", before, after);
        return Task.CompletedTask;
    }
}
