# syntax=docker/dockerfile:1
# ignitetasks with its Java runtime: docker run -v data:/var/lib/ignitetasks IMAGE worker -A tasks
# Three stages, so that neither Maven nor a compiler ends up in the image.

FROM maven:3.9-eclipse-temurin-17 AS jar
WORKDIR /src/jvm
COPY jvm/pom.xml .
RUN mvn -q -B dependency:go-offline
COPY jvm/src src
RUN mvn -q -B package -DskipTests

FROM python:3.12-slim AS wheel
WORKDIR /src
RUN pip install --no-cache-dir build
COPY setup.cfg pyproject.toml MANIFEST.in LICENSE README.md pytest_ignitetasks.py ignitetasks_command.py ./
COPY ignitetasks ignitetasks
COPY --from=jar /src/jvm/target/ignitetasks.jar ignitetasks/jars/ignitetasks.jar
RUN python -m build --wheel --outdir /dist .

FROM python:3.12-slim
COPY --from=eclipse-temurin:17-jre /opt/java/openjdk /opt/java/openjdk
COPY --from=wheel /dist /dist
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt /dist/*.whl \
    && rm -rf /dist /tmp/constraints.txt \
    && useradd --system --uid 10001 --create-home ignitetasks \
    && install -d -o ignitetasks -g ignitetasks -m 0700 /var/lib/ignitetasks
ENV JAVA_HOME=/opt/java/openjdk \
    IGNITETASKS_DATA_DIR=/var/lib/ignitetasks \
    PYTHONUNBUFFERED=1
USER ignitetasks
WORKDIR /home/ignitetasks
VOLUME /var/lib/ignitetasks
STOPSIGNAL SIGTERM
ENTRYPOINT ["ignitetasks"]
CMD ["--help"]
