namespace PostTrain.Tool;

/// <summary>The command line or the file of options cannot be run: exit code 2, the message in one line.</summary>
internal sealed class UsageException(string message) : Exception(message);
