#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// On-policy distillation against supervised fine-tuning, paired over seeds: a student of two of its teacher's three layers, in KL to the
// teacher on the student's own texts and in right answers. The control distils from the careless base in the same way. Over five seeds the
// difference in KL is -0.008 ± 0.003 with a teacher of 12 steps, 0.000 ± 0.003 with one that knows the shown texts:
// docs/trainers/on-policy-distillation.md.
//   dotnet run -c Release samples/experiments/distillation-seeds.cs [-- --seeds N --steps N --start-steps N --output DIR]
using System.Globalization;
using PostTrain.Compression.Pruning;
using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int middle = 1,
    tokens = 48;
var command = new SampleCommand(
    "distillation-seeds",
    "Compares on-policy distillation with supervised fine-tuning over seeds.",
    steps: 100,
    heldOut: 80
);
var seeds = command.Option("--seeds", "Number of paired seeds, at least 2.", 5, OptionRange.AtLeast(2));
var startSteps = command.Option("--start-steps", "Steps of supervised fine-tuning of the student first.", 120, OptionRange.AtLeast(1));
var teacherSteps = command.Option("--teacher-steps", "Steps of supervised fine-tuning of the teacher.", 12, OptionRange.AtLeast(1));
var beta = command.Option("--beta", "Of the divergence: 0 the forward KL, 1 the reverse KL.", 1.0, OptionRange.Between(0, 1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string[] arms = ["before", "SFT", "on-policy", "control", "teacher"];
        var accuracy = arms.ToDictionary(arm => arm, _ => new List<double>());
        var own = arms.ToDictionary(arm => arm, _ => new List<double>());
        for (int i = 0; i < values.GetValue(seeds); i++)
        {
            ulong seed = run.Seed + (ulong)i;
            using var subject = Subject.Load(Folders.ArithmeticBase, isToy: true);
            var problems = ArithmeticTask.Problems(run.HeldOut, heldOut: true, seed);
            var train = ArithmeticTask.Solutions(ArithmeticTask.Problems(4000, heldOut: false, seed));
            var data = new TaskData(train, ArithmeticTask.Solutions(problems), problems, subject.Model.ContextLength);
            using Decoder teacher = subject.Again(),
                start = StructuredPruning.WithoutLayers(subject.Model, middle);
            Tune(teacher, values.GetValue(teacherSteps), 1e-3);
            Tune(start, values.GetValue(startSteps), 2e-3);
            using Decoder plain = start.Copy(),
                student = start.Copy(),
                control = start.Copy();
            Tune(plain, run.Steps, 2e-3);
            await DistilAsync(student, teacher);
            await DistilAsync(control, subject.Model);
            foreach (var (arm, model) in arms.Zip((Decoder[])[start, plain, student, control, teacher]))
            {
                var result = DistillationResult.Of(arm, model, teacher, subject, data, tokens, null);
                accuracy[arm].Add(result.Right.Value);
                own[arm].Add(result.Own.Average());
                Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"seed {seed} {arm}: right {result.Right.Value:P1}, KL on own texts {own[arm][^1]:F4}"
                    )
                );
            }

            void Tune(Decoder model, int steps, double rate)
            {
                using var trainer = new SftTrainer(model, subject.Tokenizer, Common(new SftOptions(), steps, rate));
                _ = trainer.Run(train, cancellation: run.Cancellation).Last();
            }

            async Task DistilAsync(Decoder model, Decoder from)
            {
                var options = Common(
                    new OnPolicyDistillationOptions
                    {
                        Objective = OnPolicyObjective.Gkd(values.GetValue(beta)),
                        Sampling = new SamplingOptions { MaxNewTokens = tokens },
                    },
                    run.Steps,
                    2e-3
                );
                using var trainer = new OnPolicyDistillationTrainer(model, subject.Tokenizer, ReferencePolicy.Of(from), options);
                await foreach (
                    var report in trainer.RunAsync(
                        [.. train.Select(example => new Problem(example.Prompt, example.Completion))],
                        cancellation: run.Cancellation
                    )
                )
                    run.Log(report with { Metrics = report.Metrics.ToDictionary(item => $"seed-{seed}/{item.Key}", item => item.Value) });
            }

            T Common<T>(T options, int steps, double rate)
                where T : TrainingOptions =>
                (T)(
                    options with
                    {
                        Steps = steps,
                        BatchSize = 32,
                        LearningRate = rate,
                        WarmupSteps = steps / 10,
                        Schedule = LearningRateSchedule.Cosine,
                        Seed = seed,
                    }
                );
        }

        PairedTest closer = PairedTest.Of(own["on-policy"], own["SFT"]),
            right = PairedTest.Of(accuracy["on-policy"], accuracy["SFT"]),
            controlled = PairedTest.Of(own["control"], own["SFT"]);
        var table = new ReportTable(
            ["model", "right answers", "KL(model, teacher), own texts"],
            [
                .. arms.Select(arm => (string[])[arm, Estimate.Of(accuracy[arm]).ToString(), Estimate.Of(own[arm]).ToString()]),
                ["on-policy − SFT", right.ToString(), closer.ToString()],
                ["control − SFT", PairedTest.Of(accuracy["control"], accuracy["SFT"]).ToString(), controlled.ToString()],
            ]
        );
        ConsoleTable.Print(table);
        string reading = string.Create(
            CultureInfo.InvariantCulture,
            $"The control distils from the careless base. Means over {values.GetValue(seeds)} paired seeds with Student's 95 % intervals, "
                + $"nats per token. "
                + $"On-policy distillation is nearer to the teacher than SFT in {closer.Losses} of {closer.Pairs} seeds "
                + $"(p {closer.PValue:G2})."
        );
        Console.WriteLine(reading);
        run.Finish(
            run.Page(
                    "On-policy distillation over seeds",
                    "A student of two of the teacher's three layers learns sums worked out column by column."
                )
                .Table("Held-out sums", table)
                .Paragraph(reading),
            new Dictionary<string, object>
            {
                ["own_kl_minus_sft"] = closer.Difference.Mean,
                ["own_kl_minus_sft_interval"] = closer.Difference.Interval,
                ["control_own_kl_minus_sft"] = controlled.Difference.Mean,
                ["accuracy"] = accuracy["on-policy"].Average(),
                ["accuracy_minus_sft"] = right.Difference.Mean,
                ["teacher_accuracy"] = accuracy["teacher"].Average(),
            }
        );
    }
);
