using PostTrain.Tool;

// The first Ctrl+C lets the current step finish and leaves a checkpoint, the second ends the process.
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    press.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
};
using var terminal = Terminal.OfProcess();
return await PostTrainTool.RunAsync(args, terminal, stop.Token).ConfigureAwait(false);
