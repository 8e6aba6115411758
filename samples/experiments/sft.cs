#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Supervised fine-tuning on instruction records: a template renders the prompts, and the loss is on the answers only.
//   dotnet run -c Release samples/experiments/sft.cs [-- --model DIR --data FILE --template alpaca --lora 8 --steps N --output DIR]
// Records: prompt and completion, instruction (input) output, question and answer, messages, and others: docs/data.md.
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("sft", "Fine-tunes a model on instructions.", steps: 300);
var rank = command.Option("--lora", "Rank of a LoRA adapter; 0 trains the whole model.", 0, OptionRange.AtLeast(0));
var rate = command.Option<double?>(
    "--learning-rate",
    "Learning rate. The default depends on the model's width: 1e-3 at 64, with an adapter 5e-3, lower in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option("--batch-size", "Examples per step.", 32, OptionRange.AtLeast(1));
var packing = command.Option("--packing", "Pack several examples into a row.", false);
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        using var subject = Subject.Load(run);
        var data = TaskData.Load(run, subject, values.GetValue(template)!);
        using var adapters = subject.Adapted(values.GetValue(rank));
        var options = new SftOptions
        {
            Steps = run.Steps,
            BatchSize = values.GetValue(batch),
            LearningRate = values.GetValue(rate) ?? subject.Rate(adapters is null ? 1e-3 : 5e-3),
            MicroBatchSize = run.MicroBatch(data.Longest),
            WarmupSteps = run.Steps / 10,
            Schedule = LearningRateSchedule.Cosine,
            Packing = values.GetValue(packing),
            Evaluation = new EvaluationOptions { Every = Math.Max(1, run.Steps / 10) },
            CheckpointDirectory = run.PathOf("checkpoints"),
            KeepCheckpoints = 1,
            Seed = run.Seed,
        };
        Console.WriteLine($"learning rate {options.LearningRate:G3}; the first example (only its answer is trained):");
        Console.WriteLine($"  prompt  {data.Train[0].Prompt.Text.ReplaceLineEndings("\n          ")}");
        Console.WriteLine($"  learnt  {data.Train[0].Completion.Text.ReplaceLineEndings("\n          ")}");

        using var trainer = new SftTrainer(subject.Model, subject.Tokenizer, options);
        double[] lossesBefore = Measure.Losses(trainer, data.HeldOut);
        var before = Measure.Answers(subject.Model, subject.Tokenizer, data.Problems);
        var reports = run.Train("supervised fine-tuning", run.Steps, trainer.Run(data.Train, data.HeldOut, run.Cancellation));
        double[] lossesAfter = Measure.Losses(trainer, data.HeldOut);
        var after = Measure.Answers(subject.Model, subject.Tokenizer, data.Problems);
        subject.Save(run, adapters);

        var difference = Estimate.OfDifference(lossesAfter, lossesBefore);
        var (right, rightBefore) = (Measure.Right(after), Measure.Right(before));
        string[] columns = ["held out", "loss", .. subject.IsToy ? ["right answers"] : (string[])[]];
        var table = new ReportTable(
            columns,
            [
                (string[])["before", Estimate.Of(lossesBefore).ToString(), .. subject.IsToy ? [rightBefore.ToString()] : (string[])[]],
                (string[])["after", Estimate.Of(lossesAfter).ToString(), .. subject.IsToy ? [right.ToString()] : (string[])[]],
                (string[])["difference", difference.ToString(), .. subject.IsToy ? [""] : (string[])[]],
            ]
        );
        ConsoleTable.Print(table);
        var page = run.Page(
                "Supervised fine-tuning",
                $"{subject.Name} is trained on {data.Train.Count} examples; the loss is on the answers only."
            )
            .Tiles(RunReport.Tiles(reports))
            .Table("Held-out examples", table);
        if (subject.IsToy)
            page.Proportions(
                "Right answers to held-out sums",
                new NamedProportion("before", rightBefore),
                new NamedProportion("after", right)
            );
        page.Completions("Held-out prompts before and after training", Measure.Pairs(before, after))
            .Run(reports)
            .Table(
                "Rendered example",
                new ReportTable(
                    ["part", "text"],
                    [
                        ["prompt, given", data.Train[0].Prompt],
                        ["completion, learnt", data.Train[0].Completion],
                    ]
                )
                {
                    TextColumns = [1],
                }
            );
        var summary = new Dictionary<string, object>
        {
            ["loss_before"] = lossesBefore.Average(),
            ["loss_after"] = lossesAfter.Average(),
            ["loss_difference_interval"] = difference.Interval,
            ["held_out"] = data.HeldOut.Count,
        };
        if (subject.IsToy)
            Measure.AddAccuracy(summary, rightBefore, right);
        run.Finish(page, summary);
        return Task.CompletedTask;
    }
);
