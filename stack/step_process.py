"""ZenML's own entry point of a step, on a terminal as quiet as the rest of the run's."""

from zenml.entrypoints.entrypoint import main

from stack.quiet import quiet_logs

if __name__ == "__main__":
    quiet_logs()
    main()
